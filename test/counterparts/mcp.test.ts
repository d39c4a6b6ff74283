/** /mcp of the real `opctl dev` against the official conformance runner, and the official client. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, run, startDev, waitUntil, type Dev } from "../e2e/_platform.ts";

const MODULES = path.join(import.meta.dirname, "node_modules");
const RUNNER = path.join(MODULES, "@modelcontextprotocol/conformance/dist/index.js");
const SDK = path.join(MODULES, "@modelcontextprotocol/sdk/dist/esm");
const FILE = path.join(import.meta.dirname, "mcp/operations.ts");
/** What the file exports, and whether the operation is asynchronous. */
const OPERATIONS = [
  ["testSimpleText", false],
  ["testErrorHandling", false],
  ["testToolWithProgress", true],
  ["testToolWithLogging", true],
  ["testReconnection", true],
  ["testSlow", true],
] as const;
const WITHIN_MS = 170_000;

const isThere = existsSync(RUNNER);
if (!isThere) {
  const hint = "npm ci --prefix test/counterparts --no-audit --no-fund";
  if (process.env["CI"] !== undefined) throw new Error(`the MCP conformance runner must be there in CI; run: ${hint}`);
  console.warn(`SKIPPED: the MCP conformance runner is not installed, so /mcp meets no client but our own (${hint})`);
}

const CONTENT = "outputs are JSON: an operation has no way to answer with what MCP calls an image, audio or resource";
const ASKING = "the platform never asks the client: a call that needs an answer of people or models is another call";
const RESOURCES = "it wants test:// resources; ours are executions, which are read by id and not subscribed to";
const EARLIER = "it speaks 2025-03-26, whose clients choke on the event that resumption begins with; later ones get it";
const PROMPTS = "a registry has no prompts, and none are advertised";

/** Scenarios of the runner that do not pass: why that is right, and how it shows. */
const NOT_APPLICABLE: Readonly<Record<string, { why: string; shows: string }>> = {
  "completion-complete": { why: PROMPTS, shows: "-32601" },
  "tools-call-image": { why: CONTENT, shows: "Unknown tool" },
  "tools-call-audio": { why: CONTENT, shows: "Unknown tool" },
  "tools-call-embedded-resource": { why: CONTENT, shows: "Unknown tool" },
  "tools-call-mixed-content": { why: CONTENT, shows: "Unknown tool" },
  "tools-call-sampling": { why: ASKING, shows: "Unknown tool" },
  "tools-call-elicitation": { why: ASKING, shows: "Unknown tool" },
  "elicitation-sep1034-defaults": { why: ASKING, shows: "Unknown tool" },
  "elicitation-sep1330-enums": { why: ASKING, shows: "Unknown tool" },
  "server-sse-polling": { why: EARLIER, shows: "WARNING" },
  "resources-read-text": { why: RESOURCES, shows: "Resource not found" },
  "resources-read-binary": { why: RESOURCES, shows: "Resource not found" },
  "resources-templates-read": { why: RESOURCES, shows: "Resource not found" },
  "resources-subscribe": { why: RESOURCES, shows: "-32601" },
  "resources-unsubscribe": { why: RESOURCES, shows: "-32601" },
  "prompts-list": { why: PROMPTS, shows: "-32601" },
  "prompts-get-simple": { why: PROMPTS, shows: "-32601" },
  "prompts-get-with-args": { why: PROMPTS, shows: "-32601" },
  "prompts-get-embedded-resource": { why: PROMPTS, shows: "-32601" },
  "prompts-get-with-image": { why: PROMPTS, shows: "-32601" },
};
const PASSES = [
  "dns-rebinding-protection",
  "json-schema-2020-12",
  "logging-set-level",
  "ping",
  "resources-list",
  "server-initialize",
  "server-sse-multiple-streams",
  "tools-call-error",
  "tools-call-simple-text",
  "tools-call-with-logging",
  "tools-call-with-progress",
  "tools-list",
];

/** What the scenario json-schema-2020-12 wants to find as it is. */
const DIALECT = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: { address: { type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
  properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" } },
  additionalProperties: false,
};

/** Types that a client may choke on: then it sees no tools at all. With a value of each. */
const HARD_TYPES: Readonly<Record<string, [type: object, value: unknown]>> = {
  dialect: [DIALECT, { address: { city: "Paris" } }],
  booleans: [{ type: "object", properties: { any: true, none: false } }, { any: 1 }],
  tuple: [{ type: "array", prefixItems: [{ type: "string" }, { $ref: "#/prefixItems/0" }], items: false }, ["a", "b"]],
  tree: [{ type: "object", properties: { next: { $ref: "#" } } }, { next: { next: {} } }],
  forest: [{ type: "array", items: { $ref: "#" } }, [[], [[]]]],
  identified: [{ $id: "urn:example:a", type: "object", properties: { next: { $ref: "urn:example:a" } } }, { next: {} }],
  anchored: [{ type: "object", properties: { a: { $anchor: "a", type: "string" }, b: { $ref: "#a" } } }, { b: "b" }],
  formatted: [{ type: "object", properties: { at: { type: "string", format: "duration" } } }, { at: "P1D" }],
};

describe.skipIf(!isThere)("/mcp", () => {
  let dev: Dev;
  let proxy: Server;
  beforeAll(async () => {
    dev = await startDev();
    for (const [name, isAsync] of OPERATIONS) {
      const deployed = await dev.opctl(["deploy", `${FILE}#${name}`]);
      if (deployed.code !== 0) throw new Error(deployed.stderr);
      const operation = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const body = JSON.stringify({ is_async: isAsync });
      await dev.request(`/registry/operations/${operation}`, { method: "PATCH", body });
    }
    const echo = "export function run(input) { return input; }";
    await install(dev, "json_schema_2020_12_tool", echo, { input_type: DIALECT });
    for (const [name, [type]] of Object.entries(HARD_TYPES)) {
      await install(dev, `hard_${name}`, echo, { input_type: type, output_type: type });
    }
    proxy = await tokenAdder(dev);
  }, WITHIN_MS);
  afterAll(async () => {
    proxy?.close();
    await dev?.stop();
  });

  const scenarios = async (): Promise<void> => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "sy-mcp-"));
    try {
      const url = `http://localhost:${(proxy.address() as AddressInfo).port}/mcp`;
      const words = [RUNNER, "server", "--url", url, "--suite", "all", "-o", folder];
      const { stdout, stderr } = await run(process.execPath, words, { timeoutMs: WITHIN_MS });
      const offered = [...stdout.matchAll(/^=== Running scenario: (.*) ===$/gm)].map((match) => match[1] ?? "");
      expect(offered.toSorted(), stderr).toEqual([...PASSES, ...Object.keys(NOT_APPLICABLE)].toSorted());
      const found = results(folder);
      for (const name of PASSES) expect([name, found[name]]).toEqual([name, "passes"]);
      for (const [name, { shows }] of Object.entries(NOT_APPLICABLE)) {
        expect(`${name}: ${found[name]}`).toContain(shows);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  it("passes every scenario of the official runner that applies, and no other", scenarios, WITHIN_MS);

  it("is understood by the official client, whatever the types", async () => {
    const { Client } = (await import(`${SDK}/client/index.js`)) as ClientModule;
    const { StreamableHTTPClientTransport } = (await import(`${SDK}/client/streamableHttp.js`)) as TransportModule;
    const client = new Client({ name: "test", version: "1" });
    let cut = false;
    const requestInit = { headers: { authorization: `Bearer ${dev.token}` } };
    const options = { requestInit, fetch: (url: string | URL, init?: RequestInit) => cutting(url, init) };
    const cutting = async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
      const response = await fetch(url, init);
      if (!cut || init.method !== "POST") return response;
      cut = false;
      return broken(response);
    };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${dev.url}/mcp`), options));
    try {
      // It compiles each output type here, and holds each output against it below.
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toEqual(
        expect.arrayContaining(Object.keys(HARD_TYPES).map((name) => `hard_${name}`)),
      );
      for (const [name, [type, value]] of Object.entries(HARD_TYPES)) {
        const wrapped = !("type" in type && type.type === "object");
        const given = wrapped ? { input: value } : value;
        const result = await client.callTool({ name: `hard_${name}`, arguments: given });
        expect([name, result.structuredContent]).toEqual([name, wrapped ? { output: value } : value]);
      }
      const failed = await client.callTool({ name: "test_error_handling", arguments: {} });
      expect(failed.isError).toBe(true);
      const heard: (string | undefined)[] = [];
      const onprogress = ({ message }: { message?: string }): void => void heard.push(message);
      const done = await client.callTool({ name: "test_tool_with_progress", arguments: {} }, undefined, { onprogress });
      expect(done.structuredContent).toEqual({ output: "Done." });
      expect(heard).toEqual(expect.arrayContaining(["0 of 100", "50 of 100", "100 of 100"]));
      // The connection breaks in the middle; the client comes back by itself.
      cut = true;
      const again = await client.callTool({ name: "test_tool_with_progress", arguments: {} });
      expect([again.structuredContent, cut]).toEqual([{ output: "Done." }, false]);
      const leaving = new AbortController();
      const slow = client.callTool({ name: "test_slow", arguments: {} }, undefined, { signal: leaving.signal });
      const ours = async (status: string) =>
        (await dev.request(`/executions?operation=test_slow&status=${status}`)).text();
      await waitUntil(async () => (await ours("running")).includes("test_slow"), 5_000);
      leaving.abort();
      await expect(slow).rejects.toThrow();
      await waitUntil(async () => (await ours("cancelled")).includes("test_slow"), 5_000);
    } finally {
      await client.close();
    }
  });
});

/** As much of the client as is used here. */
type Result = { isError?: boolean; structuredContent?: unknown };
type CallOptions = { onprogress?: (progress: { message?: string }) => void; signal?: AbortSignal };
type ClientModule = {
  Client: new (info: { name: string; version: string }) => {
    connect(transport: object): Promise<void>;
    close(): Promise<void>;
    listTools(): Promise<{ tools: { name: string }[] }>;
    callTool(call: { name: string; arguments: unknown }, schema?: undefined, options?: CallOptions): Promise<Result>;
  };
};
type TransportModule = {
  StreamableHTTPClientTransport: new (
    url: URL,
    options: { requestInit: RequestInit; fetch: (url: string | URL, init?: RequestInit) => Promise<Response> },
  ) => object;
};

/** The answer up to its first event, and then a connection that is lost. */
async function broken(response: Response): Promise<Response> {
  const reader = response.body?.getReader();
  const first = await reader?.read();
  await reader?.cancel();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(first?.value ?? new Uint8Array()),
    pull: (controller) => controller.error(new TypeError("terminated")),
  });
  return new Response(body, response);
}

type Check = { id: string; status: string; errorMessage?: string };

/** Scenario → what it came to. A warning of the runner is a recommendation that is not followed. */
function results(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => {
      const checks = JSON.parse(readFileSync(path.join(folder, name, "checks.json"), "utf8")) as Check[];
      const failed = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
      const scenario = name.replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T[\d-]+Z$/, "");
      return [
        scenario,
        failed.map(({ id, status, errorMessage = "" }) => `${status} ${id}: ${errorMessage}`).join("; ") || "passes",
      ];
    }),
  );
}

/** The runner sends no token of its own. All else goes through as it is. */
async function tokenAdder({ port, token }: Dev): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${token}` };
    const { method, url: target } = incoming;
    const passed = request({ host: "127.0.0.1", port, method, path: target, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    outgoing.on("close", () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

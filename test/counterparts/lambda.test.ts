/** The Lambda adapter against serverless-offline, which we did not write: real functions in Node and Python, and our host as one. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildModule } from "../../cli/build/build-module.ts";
import type { AdapterCall, AdapterPorts, JobsPort } from "../../src/adapters/adapter.ts";
import { lambdaAdapter } from "../../src/adapters/lambda/lambda.ts";
import { joinFrame, splitFrame } from "../../src/model/frame.ts";
import type { IsolateDefinition } from "../../src/model/invocation.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import type { Implementation } from "../../src/model/resolved.ts";
import { callOf, TRACE, TRACESTATE } from "../contracts/adapter/call-of.ts";
import { fakePorts } from "../contracts/adapter/fake-ports.ts";
import { FakeJobs } from "../contracts/fake-jobs.ts";

const FOLDER = path.join(import.meta.dirname, "lambda");
const SERVERLESS = path.join(import.meta.dirname, "node_modules/serverless/bin/serverless.js");
const ECHO = path.join(import.meta.dirname, "../../examples/echo.ts");
const READY_WITHIN_MS = 50_000;

const isThere = existsSync(SERVERLESS);
if (!isThere) {
  const hint = "npm ci --prefix test/counterparts --no-audit --no-fund";
  if (process.env["CI"] !== undefined) throw new Error(`serverless-offline must be there in CI; run: ${hint}`);
  console.warn(
    `SKIPPED: serverless-offline is not installed, so the Lambda adapter meets no Lambda but our own (${hint})`,
  );
}

const functionNamed = (name: string): Implementation => ({ kind: "lambda", function: name, qualifier: null });
const brief = (outcome: Outcome) =>
  outcome.ok ? "ok" : `${outcome.error.code} ${outcome.unstarted === true ? "unstarted" : "perhaps started"}`;

describe.skipIf(!isThere)("lambdaAdapter() on serverless-offline", () => {
  let server: ChildProcess;
  let endpoint = "";
  let home = "";
  let output = "";

  beforeAll(async () => {
    const [lambdaPort, httpPort] = [await freePort(), await freePort()];
    endpoint = `http://127.0.0.1:${lambdaPort}`;
    home = await mkdtemp(path.join(os.tmpdir(), "switchyard-serverless-"));
    const ports = ["--lambdaPort", String(lambdaPort), "--httpPort", String(httpPort)];
    const words = ["offline", "start", "--host", "127.0.0.1", ...ports, "--noPrependStageInUrl", "--noSponsor"];
    server = spawn(process.execPath, [SERVERLESS, ...words], {
      cwd: FOLDER,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      // A home of its own: it keeps settings there.
      env: { PATH: process.env["PATH"], HOME: home, SLS_TELEMETRY_DISABLED: "1", SLS_NOTIFICATIONS_MODE: "off" },
    });
    server.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    server.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await listens(lambdaPort, () => ({ isOver: server.exitCode !== null, output }));
  });

  afterAll(async () => {
    // Its functions are processes of their own, in its group.
    if (server?.pid !== undefined && server.exitCode === null) process.kill(-server.pid, "SIGKILL");
    await rm(home, { recursive: true, force: true });
  });

  const at = async (
    implementation: Implementation,
    input: unknown,
    { config = {}, ports = {}, meta = {} }: More = {},
  ) => {
    const adapter = lambdaAdapter(fakePorts(ports));
    const call = callOf(implementation, input);
    const environment = {
      ...call.environment,
      config: { region: "eu-central-1", endpoint, ...config },
      openSecrets: async () => ({ access_key_id: "AKID", secret_access_key: "secret" }),
    };
    const outcome = await adapter.invoke({ ...call, environment, meta: { ...call.meta, timeout_ms: 20_000, ...meta } });
    return { outcome };
  };

  it("calls a function in Node, which sees the input and the trace", async () => {
    const { outcome } = await at(functionNamed("team-echo"), { text: "ä\n\u2028" });
    expect(outcome.ok && JSON.parse(outcome.output)).toEqual({
      from: "node",
      event: { text: "ä\n\u2028" },
      custom: { traceparent: TRACE, tracestate: TRACESTATE },
    });
  });

  it("calls a function in Python", async () => {
    const { outcome } = await at(functionNamed("team-python"), { n: 1 });
    expect(outcome.ok && JSON.parse(outcome.output)).toEqual({ from: "python", event: { n: 1 } });
  });

  it("tells that the function failed, and how", async () => {
    const { outcome } = await at(functionNamed("team-failing"), {});
    expect(brief(outcome)).toBe("implementation_failed perhaps started");
    expect(outcome).toMatchObject({ error: { detail: expect.stringContaining("the picture has no pixels") } });
  });

  it("takes a function that is not there for a mistake in the environment, and nothing has run", async () => {
    const { outcome } = await at(functionNamed("not-there"), {});
    expect(brief(outcome)).toBe("environment_misconfigured unstarted");
    expect(outcome).toMatchObject({ error: { detail: expect.stringContaining("not-there") } });
  });

  it("waits no longer than the call's own time-out", async () => {
    const { outcome } = await at(functionNamed("team-slow"), {}, { meta: { timeout_ms: -600 } });
    expect(brief(outcome)).toBe("timeout perhaps started");
  });

  it("tells that the function's own time-out ended it", async () => {
    const { outcome } = await at(functionNamed("team-slow"), {});
    // Of serverless-offline; Lambda itself says "Task timed out", which is `timeout`: see lambda.test.ts beside the adapter.
    expect(outcome).toMatchObject({ ok: false, error: { detail: expect.stringContaining("timeout") } });
    expect(brief(outcome)).toBe("implementation_failed perhaps started");
  });

  it("carries nearly 6 MB both ways, and refuses what is over it before it is sent", async () => {
    const text = "x".repeat(6 * 1024 * 1024 - 20 * 1024);
    const { outcome } = await at(functionNamed("team-echo"), { text });
    expect(outcome.ok && (JSON.parse(outcome.output) as { event: unknown }).event).toEqual({ text });
    const { outcome: refused } = await at(functionNamed("team-echo"), { text: text.repeat(2) });
    expect(brief(refused)).toBe("payload_too_large unstarted");
  });

  it("cannot reach what does not listen", async () => {
    const config = { endpoint: `http://127.0.0.1:${await freePort()}` };
    const { outcome } = await at(functionNamed("team-echo"), {}, { config });
    expect(brief(outcome)).toBe("environment_unavailable unstarted");
  });

  describe("with our host as a function", () => {
    let module: Implementation;
    let definition: IsolateDefinition;
    let loads = 0;
    beforeAll(async () => {
      const { bundle, language, export: name } = await buildModule(ECHO, "echo2");
      module = { kind: "module", sha256: bundle.sha256, export: name, language };
      definition = { code: bundle.code, language, export: name, network: [], secrets: {} };
    });
    const isolates: AdapterPorts["isolates"] = {
      isolateId: () => "echo2",
      loadIsolate: async () => {
        loads++;
        return definition;
      },
    };

    it("runs examples/echo.ts there: asked for the code once, then no more", async () => {
      for (const text of ["one", "ünd\nzwei"]) {
        const { outcome } = await at(module, { input_str: text }, { ports: { isolates } });
        expect(outcome.ok && JSON.parse(outcome.output)).toEqual({ output_str: text, output_len: text.length });
      }
      expect(loads).toBe(1);
    });

    it("runs it as an event that fetches its order and reports", async () => {
      const jobs = new FakeJobs();
      const platform = await openPlatform(jobs, () => definition);
      try {
        const ports = { ...jobs.ports(), jobs: platform.jobs, isolates, now: Date.now };
        const { outcome } = await at(module, { input_str: "later" }, { config: { invocation: "event" }, ports });
        expect(outcome.ok && JSON.parse(outcome.output)).toEqual({ output_str: "later", output_len: 5 });
        expect(platform.asked).toEqual(["GET Bearer token-of-sy-00-job-1", "POST Bearer token-of-sy-00-job-1"]);
      } finally {
        platform.close();
      }
    });

    it("tells a function that is not our host apart", async () => {
      const { outcome } = await at(module, {}, { config: { function: "team-echo" } });
      expect(brief(outcome)).toBe("environment_misconfigured perhaps started");
    });
  });
});

type More = { config?: object; ports?: Partial<AdapterPorts>; meta?: Partial<AdapterCall["meta"]> };

/** The one route of the platform that jobs come back to, and a keeper of jobs that really waits. */
async function openPlatform(jobs: FakeJobs, definition: () => IsolateDefinition) {
  const asked: string[] = [];
  const reported = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.authorization}`);
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      if (request.method === "POST") reported.resolve(body);
      const [head, input] = splitFrame(jobs.last.order);
      response.end(joinFrame({ ...(JSON.parse(head) as object), definition: definition() }, input));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/job`;
  const port: JobsPort = {
    async open(job) {
      const { ticket, handle } = await jobs.open(job);
      return { ticket: { ...ticket, url }, handle };
    },
    note: (id, handle) => jobs.note(id, handle),
    wait: (_id, waitMs) =>
      Promise.race([
        reported.promise,
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), waitMs)),
      ]),
    close: (id) => jobs.close(id),
  };
  return { jobs: port, asked, close: () => void server.close() };
}

async function freePort(): Promise<number> {
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** It says nothing that could be relied on when it is ready, so its port is asked. */
async function listens(port: number, state: () => { isOver: boolean; output: string }): Promise<void> {
  for (const until = Date.now() + READY_WITHIN_MS; Date.now() < until && !state().isOver;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`serverless-offline must listen within ${READY_WITHIN_MS} ms; it says:\n${state().output}`);
}

/** /mcp from outside, message by message, in both eras of the protocol. */
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOf, connect, messagesOf, modern, type Message, type ToolResult } from "./_mcp.ts";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";

const STEPS = `export async function run({ n = 3, ms = 20 }, ctx) {
  for (let step = 1; step <= n; step++) {
    ctx.signal.throwIfAborted();
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      ctx.signal.addEventListener("abort", () => { clearTimeout(timer); reject(ctx.signal.reason); });
    });
    ctx.log.info("step " + step);
  }
  return { steps: n };
}`;
const DOUBLE = `export function run(input, ctx) { ctx.log.warn("doubling"); return 2 * input; }`;
const WHO = `export function run(input, ctx) { return ctx.execution.caller; }`;
const NUMBER = { type: "number" };
const OBJECT = { type: "object" };

let dev: Dev;
beforeAll(async () => {
  dev = await startDev({ args: ["--examples"] });
  await install(dev, "steps", STEPS, { is_async: true, group: "work", input_type: OBJECT, output_type: OBJECT });
  await install(dev, "double", DOUBLE, { group: "math", input_type: NUMBER, output_type: NUMBER });
  await install(dev, "who", WHO);
});
afterAll(() => dev.stop());

const token = async (...scopes: string[]): Promise<{ name: string; token: string }> => {
  const name = `t${Math.random().toString(36).slice(2)}`;
  const response = await dev.request(`/registry/tokens/${name}`, { method: "PUT", body: JSON.stringify({ scopes }) });
  return { name, token: ((await response.json()) as { token: string }).token };
};
const namesOf = (tools: { name: string }[]): string[] => tools.map(({ name }) => name);
const textOf = ({ content }: ToolResult): string => content.map(({ text }) => text).join("\n");
const errorOf = ({ _meta: meta }: ToolResult): unknown => meta["switchyard.dev/error"];
const executionOf = ({ _meta: meta }: ToolResult): string => String(meta["switchyard.dev/execution_id"]);
const statusOf = async (id: string): Promise<string> =>
  ((await (await dev.request(`/executions/${id}`)).json()) as { status: string }).status;
const running = async (operation: string): Promise<string[]> => {
  const page = await dev.request(`/executions?operation=${operation}&status=running`);
  return ((await page.json()) as { items: { id: string }[] }).items.map(({ id }) => id);
};

describe("a client that begins with initialize", () => {
  it("is told what there is, gets a session that nobody keeps, and its notifications are taken", async () => {
    const client = await connect(dev);
    expect(client.initialized?.result).toMatchObject({
      protocolVersion: "2025-11-25",
      serverInfo: { name: "switchyard" },
      capabilities: { tools: { listChanged: true }, resources: {}, logging: {} },
    });
    expect(client.session).toMatch(/^[0-9a-f-]{36}$/);
    expect((await client.send({ method: "notifications/initialized" })).status).toBe(202);
    expect((await client.request("ping")).result).toEqual({});
  });

  it("is answered in the revision that it asks for, or in ours where that is unknown", async () => {
    const client = await connect(dev);
    const versions = await Promise.all(
      ["2025-03-26", "2025-06-18", "1999-01-01"].map(async (protocolVersion) => {
        const params = { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } };
        return (await client.request("initialize", params)).result?.["protocolVersion"];
      }),
    );
    expect(versions).toEqual(["2025-03-26", "2025-06-18", "2025-11-25"]);
  });

  it("sees operations as tools, and not the platform's own", async () => {
    const tools = await (await connect(dev)).tools();
    expect(namesOf(tools)).toEqual(["double", "echo", "shout", "slow_demo", "steps", "who", "word_count"]);
    expect(tools.find(({ name }) => name === "echo")).toMatchObject({
      description: "Says back what it was told.",
      inputSchema: { type: "object", required: ["input_str"] },
      outputSchema: { type: "object", required: ["output_str"] },
    });
  });

  it("calls one: its output comes as text and as structure, and its record names an agent", async () => {
    const client = await connect(dev);
    const result = await client.call("echo", { input_str: "hi" });
    expect(result).toMatchObject({
      content: [{ type: "text", text: '{"output_str":"hi"}' }],
      structuredContent: { output_str: "hi" },
    });
    expect(result.isError).toBeUndefined();
    const who = await client.call("who");
    expect(who.structuredContent).toMatchObject({ type: "agent" });
    let records = "";
    const listed = async () => (await dev.request("/executions?operation=who&trigger=agent")).text();
    await waitUntil(
      async () => (records = await listed()).includes(executionOf(who)),
      5_000,
      () => records,
    );
  });

  it("belongs to the trace that the call names", async () => {
    const client = await connect(dev);
    const traceId = "1".repeat(32);
    const meta = { traceparent: `00-${traceId}-${"2".repeat(16)}-01` };
    const id = executionOf(await client.call("who", {}, meta));
    const found = async () => (await dev.request(`/executions/${id}`)).text();
    await waitUntil(async () => (await found()).includes("traceparent"), 5_000);
    expect(await found()).toContain(`"traceparent":"00-${traceId}-`);
  });

  it("gives and gets what is no object under a member", async () => {
    const client = await connect(dev);
    const result = await client.call("double", { input: 21 });
    expect(result).toMatchObject({ content: [{ text: "42" }], structuredContent: { output: 42 } });
    expect(textOf(await client.call("double", { input: "x" }))).toContain("/input: must be number; it is string");
    expect(textOf(await client.call("double", { number: 1 }))).toContain('the input goes under "input"');
  });

  it("gives a batch its list, and gets each outcome", async () => {
    await install(dev, "doubles", DOUBLE, { group: "math2", batch: true, input_type: NUMBER, output_type: NUMBER });
    const client = await connect(dev, { path: "/mcp?group=math2" });
    expect(await client.tools()).toMatchObject([{ name: "doubles", inputSchema: { required: ["input"] } }]);
    const outcomes = [
      { ok: true, output: 2 },
      { ok: true, output: 4 },
    ];
    expect((await client.call("doubles", { input: [1, 2] })).structuredContent).toEqual({ output: outcomes });
    expect(textOf(await client.call("doubles", { input: [1, "x"] }))).toContain("/input/1: must be number");
    await dev.request("/registry/operations/doubles", { method: "DELETE" });
  });

  it("is told in the result what was wrong with its call, so that the model can mend it", async () => {
    const result = await (await connect(dev)).call("echo", { input_st: "hi" });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toContain("input_invalid");
    expect(textOf(result)).toContain("input_str");
    expect(result.structuredContent).toBeUndefined();
    expect(errorOf(result)).toMatchObject({ code: "input_invalid", errors: expect.any(Array) });
  });

  it("is told by an error of the protocol that there is no such tool, whatever the reason", async () => {
    const client = await connect(dev);
    const { token: other } = await token("ops:invoke:math");
    await install(dev, "asleep", WHO, { active: false });
    for (const [name, more] of [
      ["none"],
      ["asleep"],
      ["No Name"],
      ["delete_token"],
      ["echo", { token: other }],
    ] as const) {
      const { error } = await client.request("tools/call", { name, arguments: {} }, more);
      expect(error, name).toMatchObject({ code: -32602, message: `Unknown tool: ${name}` });
    }
    expect((await client.request("tools/call", { arguments: {} })).error?.code).toBe(-32602);
    expect((await client.request("no/such")).error?.code).toBe(-32601);
  });

  it("hears of progress while an asynchronous operation runs", async () => {
    const client = await connect(dev);
    const params = { name: "steps", arguments: { n: 3 }, _meta: { progressToken: "p" } };
    const { result, before } = await client.request("tools/call", params);
    expect(result).toMatchObject({ structuredContent: { steps: 3 } });
    expect(before.every(({ method }) => method === "notifications/progress")).toBe(true);
    const numbers = before.map(({ params: told }) => told?.["progress"] as number);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    const messages = before.map(({ params: told }) => told?.["message"]);
    expect(messages).toEqual(expect.arrayContaining(["running, attempt 1", "step 1", "step 2", "step 3"]));
    expect((await client.call("steps", { n: 1 })).structuredContent).toEqual({ steps: 1 });
  });

  it("hears log lines once it has asked for them, and only as grave as it asked", async () => {
    const client = await connect(dev);
    const logs = async (name: string, input: object) =>
      (await client.request("tools/call", { name, arguments: input })).before.map(({ params: told }) => told);
    expect(await logs("double", { input: 1 })).toEqual([]);
    await client.request("logging/setLevel", { level: "info" });
    expect(await logs("double", { input: 1 })).toEqual([{ level: "warning", logger: "double", data: "doubling" }]);
    expect(await logs("steps", { n: 1 })).toEqual([{ level: "info", logger: "steps", data: "step 1" }]);
    await client.request("logging/setLevel", { level: "error" });
    expect(await logs("double", { input: 1 })).toEqual([]);
  });

  it("cancels what it called, and nobody else's with the same id", async () => {
    const [client, stranger] = [await connect(dev), await connect(dev)];
    const call = client.request("tools/call", { name: "steps", arguments: { n: 100, ms: 100 } }, { id: 77 });
    await waitUntil(async () => (await running("steps")).length === 1, 5_000);
    const [id = ""] = await running("steps");
    await stranger.send({ method: "notifications/cancelled", params: { requestId: 77 } });
    expect(await statusOf(id)).toBe("running");
    await client.send({ method: "notifications/cancelled", params: { requestId: 77, reason: "enough" } });
    expect((await call).result).toMatchObject({ isError: true });
    expect(await statusOf(id)).toBe("cancelled");
  });

  it("whose connection broke takes the call up again by the id of the event that it began with", async () => {
    const client = await connect(dev);
    const leaving = new AbortController();
    const params = { name: "steps", arguments: { n: 6, ms: 200 }, _meta: { progressToken: "p" } };
    const response = await client.send({ id: "call 1", method: "tools/call", params }, { signal: leaving.signal });
    let head = "";
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      head += chunk;
      if (head.includes("step 2")) break;
    }
    leaving.abort();
    expect(head).toMatch(/^id: ex_[0-9a-z_]+\/\S+\nretry: 1000\ndata: \n\n/);
    const numbers = [...head.matchAll(/"progress":([0-9]+)/g)].map((match) => Number(match[1]));
    const [, eventId = ""] = /^id: (\S+)/.exec(head) ?? [];
    const back = (more: { token?: string; id?: string } = {}): Promise<Response> =>
      dev.request("/mcp", {
        token: more.token ?? dev.token,
        headers: { accept: "text/event-stream", "last-event-id": more.id ?? eventId },
      });
    const messages: Message[] = [];
    for await (const message of messagesOf(await back())) messages.push(message);
    expect(messages.at(-1)).toMatchObject({ id: "call 1", result: { structuredContent: { steps: 6 } } });
    const later = messages.slice(0, -1).map(({ params: told }) => told?.["progress"] as number);
    expect(later.length).toBeGreaterThan(0);
    expect(Math.min(...later)).toBeGreaterThan(Math.max(...numbers));
    // Once more after the end: the answer is still there.
    expect((await answerOf(await back())).result).toMatchObject({ structuredContent: { steps: 6 } });
    const { token: other } = await token("ops:invoke", "registry:read");
    expect((await back({ token: other })).status).toBe(404);
    for (const id of ["1-2", eventId.replace(/\/.*/, "/%5B%7B%7D%5D"), "ex_00_0000000000000000000000000/%5B1"]) {
      expect((await back({ id })).status, id).toBe(400);
    }
  });

  it("that loses its connection has cancelled nothing, and reads the end later", async () => {
    const client = await connect(dev);
    const leaving = new AbortController();
    const call = client.request(
      "tools/call",
      { name: "steps", arguments: { n: 4, ms: 200 } },
      { signal: leaving.signal },
    );
    await waitUntil(async () => (await running("steps")).length === 1, 5_000);
    const [id = ""] = await running("steps");
    leaving.abort();
    await expect(call).rejects.toThrow();
    const uri = `switchyard:///executions/${id}`;
    const shown = async () => {
      const { result } = await client.request("resources/read", { uri });
      const [content] = (result?.["contents"] ?? []) as { text: string }[];
      return JSON.parse(content?.text ?? "{}") as { status: string };
    };
    expect(await shown()).toMatchObject({ status: "running" });
    await waitUntil(async () => (await shown()).status !== "running", 10_000);
    expect(await shown()).toMatchObject({ operation: "steps", status: "succeeded", output: { steps: 4 } });
    const { token: other } = await token("ops:invoke");
    expect((await client.request("resources/read", { uri }, { token: other })).error?.code).toBe(-32602);
    expect((await client.request("resources/read", { uri: "file:///etc/passwd" })).error?.code).toBe(-32602);
  });
});

describe("which tools are seen", () => {
  it("is a matter of the token's groups", async () => {
    const { token: math } = await token("ops:invoke:math");
    const { token: reader } = await token("registry:read");
    expect(namesOf(await (await connect(dev, { token: math })).tools())).toEqual(["double"]);
    expect(await (await connect(dev, { token: reader })).tools()).toEqual([]);
  });

  it("is narrowed by the address, which also bounds what can be called", async () => {
    const client = await connect(dev, { path: "/mcp?group=math&group=work" });
    expect(namesOf(await client.tools())).toEqual(["double", "steps"]);
    const { error } = await client.request("tools/call", { name: "echo", arguments: { input_str: "hi" } });
    expect(error?.code).toBe(-32602);
    expect((await dev.request("/mcp?group=No", { method: "POST", body: "{}" })).status).toBe(400);
    expect((await dev.request("/mcp?builtins=yes", { method: "POST", body: "{}" })).status).toBe(400);
  });

  it("takes in the platform's own functions where the address asks for them, with the right hints", async () => {
    const tools = await (await connect(dev, { path: "/mcp?group=registry" })).tools();
    const hints = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]));
    expect(hints["list_operation"]).toEqual({ readOnlyHint: true, openWorldHint: false });
    expect(hints["delete_token"]).toMatchObject({ readOnlyHint: false, destructiveHint: true });
    const { token: limited } = await token("ops:invoke", "registry:read");
    const seen = namesOf(await (await connect(dev, { path: "/mcp?builtins=true", token: limited })).tools());
    expect(seen).toEqual(expect.arrayContaining(["echo", "list_operation", "cancel_execution"]));
    expect(seen).not.toContain("delete_operation");
    const client = await connect(dev, { path: "/mcp?group=registry" });
    expect((await client.call("get_operation", { name: "echo" })).structuredContent).toMatchObject({ name: "echo" });
  });

  it("is told when it changes, to those whom it concerns", async () => {
    const { token: math, name } = await token("ops:invoke:math");
    const client = await connect(dev);
    const leaving = new AbortController();
    const streams = await Promise.all([
      client.listen(leaving.signal),
      (await connect(dev, { token: math })).listen(leaving.signal),
    ]);
    const heard: Message[][] = [[], []];
    const reading = streams.map(async (stream, index) => {
      for await (const message of messagesOf(stream)) heard[index]?.push(message);
    });
    // Once it looks: what was there before is known.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await dev.opctl(["deploy", "examples/greet.ts", "--group", "hello"])).code).toBe(0);
    await waitUntil(() => heard[0]?.length === 1, 8_000);
    expect(heard[0]?.[0]).toMatchObject({ method: "notifications/tools/list_changed" });
    expect(heard[1]).toEqual([]);
    expect(namesOf(await client.tools())).toContain("greet");
    await dev.request("/registry/operations/double", { method: "PATCH", body: '{"description":"Twice."}' });
    await waitUntil(() => heard[1]?.length === 1, 8_000);
    await dev.request(`/registry/tokens/${name}`, { method: "PATCH", body: '{"active":false}' });
    // The stream of a token that is no more ends by itself.
    await reading[1];
    leaving.abort();
    await expect(reading[0]).rejects.toThrow("aborted");
  });
});

describe("a client of the revision without sessions", () => {
  it("discovers, lists and calls, each request by itself", async () => {
    expect((await answerOf(await modern(dev, "server/discover"))).result).toMatchObject({
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: { listChanged: true } },
    });
    const listed = await answerOf(await modern(dev, "tools/list"));
    expect(namesOf(listed.result?.["tools"] as { name: string }[])).toContain("echo");
    const response = await modern(dev, "tools/call", { name: "echo", arguments: { input_str: "hi" } });
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(response.headers.get("mcp-session-id")).toBeNull();
    expect((await answerOf(response)).result).toMatchObject({ structuredContent: { output_str: "hi" } });
  });

  it("hears of progress, and of log lines where the request asks for them", async () => {
    const params = {
      name: "steps",
      arguments: { n: 2 },
      _meta: { progressToken: 1, "io.modelcontextprotocol/logLevel": "debug" },
    };
    const messages: Message[] = [];
    for await (const message of messagesOf(await modern(dev, "tools/call", params))) messages.push(message);
    const methods = messages.map(({ method }) => method);
    expect(methods).toEqual(expect.arrayContaining(["notifications/progress", "notifications/message"]));
    expect(messages.at(-1)?.result).toMatchObject({ structuredContent: { steps: 2 } });
  });

  it("that closes the stream of its answer has cancelled the call", async () => {
    const leaving = new AbortController();
    const params = { name: "steps", arguments: { n: 100, ms: 100 }, _meta: { progressToken: 1 } };
    const response = await modern(dev, "tools/call", params, { signal: leaving.signal });
    for await (const message of messagesOf(response)) if (message.params?.["message"] === "step 1") break;
    const [id = ""] = await running("steps");
    leaving.abort();
    await waitUntil(
      async () => (await statusOf(id)) === "cancelled",
      5_000,
      () => id,
    );
  });

  it("is told of changes on a subscription", async () => {
    const leaving = new AbortController();
    const stream = await modern(
      dev,
      "subscriptions/listen",
      { notifications: { toolsListChanged: true } },
      { signal: leaving.signal },
    );
    const messages = messagesOf(stream);
    expect((await messages.next()).value).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await dev.request("/registry/operations/who", { method: "PATCH", body: '{"description":"Who?"}' });
    expect((await messages.next()).value).toMatchObject({ method: "notifications/tools/list_changed" });
    leaving.abort();
    await expect(messages.next()).rejects.toThrow("aborted");
  });
});

describe("what is refused", () => {
  it.each([
    [{ host: "evil.example.com" }, 403],
    [{ origin: "https://evil.example.com" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "http://localhost:3000" }, 200],
  ])("a browser's page that is not of this machine: %j gets %i", async (headers, status) => {
    expect(await rawStatus(dev, { method: "POST", headers })).toBe(status);
  });

  it("a token that is unknown or revoked, with the challenge", async () => {
    const { name, token: mine } = await token("ops:invoke");
    const client = await connect(dev, { token: mine });
    expect((await client.request("ping")).result).toEqual({});
    await dev.request(`/registry/tokens/${name}`, { method: "PATCH", body: '{"active":false}' });
    for (const wrong of [mine, "sy_0000000000000000_00000000000000000000000000000000"]) {
      const response = await client.send({ id: 1, method: "ping" }, { token: wrong });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Bearer");
    }
    const { token: runner } = await token("runner:edge");
    expect((await client.send({ id: 1, method: "ping" }, { token: runner })).status).toBe(403);
  });

  it("methods and bodies that are none", async () => {
    const removed = await dev.request("/mcp", { method: "DELETE" });
    expect([removed.status, removed.headers.get("allow")]).toEqual([405, "POST, GET"]);
    const post = (body: string, headers: Record<string, string> = {}) =>
      dev.request("/mcp", {
        method: "POST",
        body,
        headers: { accept: "application/json, text/event-stream", ...headers },
      });
    const twice = '{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}';
    for (const [body, status, code] of [
      ["{", 400, -32700],
      [twice, 400, -32700],
      ['{"jsonrpc":"2.0","id":1,"method":"x","params":{"__proto__":1}}', 400, -32700],
      [`[${"[".repeat(100)}${"]".repeat(100)}]`, 422, -32600],
      ["{}", 400, -32600],
    ] as const) {
      const response = await post(body);
      expect([body.slice(0, 20), response.status]).toEqual([body.slice(0, 20), status]);
      expect(await response.json()).toMatchObject({ jsonrpc: "2.0", id: null, error: { code } });
    }
    expect((await post("{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await post('{"jsonrpc":"2.0","id":1,"method":"ping"}', { accept: "application/json" })).status).toBe(406);
    const cursor = await (await connect(dev)).request("tools/list", { cursor: "No such" });
    expect(cursor.error?.code).toBe(-32602);
  });
});

it("a token's rate limit counts the requests of a batch, not the batch", async () => {
  const body = JSON.stringify({ scopes: ["ops:invoke"], rate_limit: { limit: 5, window_s: 60 } });
  const made = await dev.request("/registry/tokens/hurried", { method: "PUT", body });
  const { token: hurried } = (await made.json()) as { token: string };
  const batch = (count: number): Promise<Response> =>
    dev.request("/mcp", {
      method: "POST",
      token: hurried,
      headers: { accept: "application/json, text/event-stream" },
      body: JSON.stringify(Array.from({ length: count }, (_, id) => ({ jsonrpc: "2.0", id, method: "ping" }))),
    });
  const first = await batch(3);
  const answers: Message[] = [];
  for await (const message of messagesOf(first)) answers.push(message);
  expect([first.status, answers.length]).toEqual([200, 3]);
  const second = await batch(3);
  expect([second.status, second.headers.has("retry-after")]).toEqual([429, true]);
});

describe("a client that never reads", () => {
  it("is held to a bound and dropped, and nothing else suffers", async () => {
    const noisy = `export function run(input, ctx) {
      for (let line = 0; line < 200; line++) ctx.log.info(line + "x".repeat(4000));
      throw new Error("again");
    }`;
    const retry = { max_attempts: 40, initial_ms: 1, max_ms: 1 };
    await install(dev, "noisy", noisy, { is_async: true, retry, group: "noise" });
    const client = await connect(dev);
    await client.request("logging/setLevel", { level: "debug" });
    const call = { name: "noisy", arguments: {}, _meta: { progressToken: 1 } };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call });
    const sockets = await Promise.all(
      Array.from({ length: 4 }, () => silentSocket(dev, body, { "mcp-session-id": client.session ?? "" })),
    );
    const listening = await silentSocket(dev, undefined, {});
    try {
      // Some 1.6 MB an attempt, for each of them: far more than sockets hold.
      const over = async () => (await dev.request("/executions?operation=noisy&status=dead")).json();
      let waits: number[] = [];
      await waitUntil(
        async () => {
          const startedAt = performance.now();
          expect((await dev.call("echo", { input_str: "still here" })).status).toBe(200);
          waits = [...waits, performance.now() - startedAt];
          return ((await over()) as { items: unknown[] }).items.length === 4;
        },
        55_000,
        () => JSON.stringify(waits),
      );
      expect(waits.toSorted((a, b) => a - b).at(Math.floor(waits.length / 2))).toBeLessThan(2_000);
      // Read at last, the stream has no end: it was broken off.
      for (const socket of sockets) expect(await restOf(socket)).not.toContain('"isError":true');
      expect((await client.call("echo", { input_str: "hi" })).structuredContent).toEqual({ output_str: "hi" });
    } finally {
      for (const socket of [...sockets, listening]) socket.destroy();
    }
  });
});

/** Sends a request and reads nothing. */
async function silentSocket(
  { port, token: bearer }: Dev,
  body: string | undefined,
  headers: Record<string, string>,
): Promise<net.Socket> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  const all = { host: `127.0.0.1:${port}`, authorization: `Bearer ${bearer}`, ...headers };
  const lines = (more: object): string =>
    Object.entries({ ...all, ...more })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
  if (body === undefined) socket.write(`GET /mcp HTTP/1.1\r\n${lines({ accept: "text/event-stream" })}\r\n`);
  else {
    const accept = "application/json, text/event-stream";
    const more = { accept, "content-type": "application/json", "content-length": String(body.length) };
    socket.write(`POST /mcp HTTP/1.1\r\n${lines(more)}\r\n${body}`);
  }
  return socket.pause();
}

/** What had arrived when nobody read, up to the end of the connection or a second of silence. */
function restOf(socket: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.once("close", () => resolve(text));
    socket.resume();
  });
}

/** fetch sets Host and Origin itself. */
function rawStatus({ port, token: bearer }: Dev, { headers }: { method: string; headers: Record<string, string> }) {
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    authorization: `Bearer ${bearer}`,
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "content-length": String(body.length),
    connection: "close",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  return new Promise<number>((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.write(`POST /mcp HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
    });
    socket.once("data", (chunk) => {
      resolve(Number(/^HTTP\/1.1 ([0-9]{3})/.exec(chunk.toString())?.[1]));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

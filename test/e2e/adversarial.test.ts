/** What an attacker, or a careless author, tried once and got away with. Each of these was a defect. */
import { readdirSync, rmSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted, ended, listed } from "./_executions.ts";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }");
});
afterAll(() => dev.stop());

/** A request as bytes; what comes back until the other side has said something and `ms` are over. */
function raw(text: string, ms = 700): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(dev.port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(answer));
    setTimeout(() => socket.destroy(), ms);
  });
}

async function write(method: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await dev.request(path, { method, body: JSON.stringify(body), headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("HTTP", () => {
  it("takes If-Match: * as: only if it is there", async () => {
    expect(await write("PUT", "/registry/types/absent", { schema: true }, { "if-match": "*" })).toMatchObject({
      status: 412,
      body: { code: "precondition_failed" },
    });
    await write("PUT", "/registry/types/there", { schema: true });
    expect((await write("PUT", "/registry/types/there", { schema: false }, { "if-match": "*" })).status).toBe(200);
  });

  it("answers 412 to an ETag that is none of ours, and refuses a condition that it would ignore", async () => {
    await write("PUT", "/registry/types/tagged", { schema: true });
    const stale = await write("PUT", "/registry/types/tagged", { schema: false }, { "if-match": '"abc"' });
    expect(stale).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    const copy = await write("POST", "/registry/types/tagged/duplicate", { name: "copy" }, { "if-match": '"abc"' });
    expect(copy).toMatchObject({ status: 400, body: { code: "bad_request" } });
  });

  it.each(["/openapi.json?cursor=%00", "/openapi.json?group=%00", "/registry/types?cursor=%00", "/changes?cursor=%00"])(
    "GET %s is the caller's mistake and no outage",
    async (path) => {
      const { status } = await dev.request(path);
      expect([400, 422]).toContain(status);
    },
  );

  it("counts a body that comes in chunks whatever length is declared beside them", async () => {
    const head = `POST /ops/identity HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${dev.token}\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const mebibyte = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    // The end never comes: the answer must not wait for it.
    const answer = await raw(head + mebibyte.repeat(12), 3_000);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  it("answers 400 to a body that breaks off or is no chunked encoding, and 415 to a packed one", async () => {
    const head = `POST /ops/identity HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${dev.token}\r\nContent-Type: application/json\r\n`;
    const garbage = await raw(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`);
    expect(garbage).toMatch(/^HTTP\/1.1 400 /);
    const packed = await dev.request("/ops/identity", {
      method: "POST",
      body: "{}",
      headers: { "content-encoding": "gzip" },
    });
    expect(packed.status).toBe(415);
  });
});

describe("the executors", () => {
  it("run an operation whose name every object has", async () => {
    await install(dev, "constructor", "export function run(input) { return input; }", { timeout_ms: 2_000 });
    expect(await dev.call("constructor", 1)).toMatchObject({ status: 200, body: 1 });
  });
});

describe("a handler", () => {
  it("that aborts its isolate ends its own call, and the operation goes on", async () => {
    const code = `import { abortIsolate } from "cloudflare:workers";
      export function abort({ now }) { if (now) abortIsolate("on purpose"); return 1; }`;
    await install(dev, "abort", code, { timeout_ms: 500 });
    expect((await dev.call("abort", {})).status).toBe(200);
    for (let round = 0; round < 2; round++) {
      expect((await dev.call("abort", { now: true })).status).toBeGreaterThanOrEqual(503);
      const after = await Promise.all([dev.call("abort", {}), dev.call("abort", {})]);
      expect(after.map(({ body }) => body)).toEqual([1, 1]);
    }
  });

  it("that goes on for ever after its answer stops nobody, and ends up in a process of its own", async () => {
    const code = `import { waitUntil } from "cloudflare:workers";
      export function after() { waitUntil(new Promise(() => setTimeout(() => { for (;;); }, 20))); return "answered"; }`;
    await install(dev, "after", code, { timeout_ms: 1_000 });
    for (let round = 0; round < 4; round++) {
      await dev.call("after", {});
      await new Promise((resolve) => setTimeout(resolve, 200));
      const began = Date.now();
      expect(await dev.call("identity", { round })).toMatchObject({ status: 200, body: { round } });
      expect(Date.now() - began).toBeLessThan(5_000);
    }
  });

  it("gets no __proto__ from another, as it gets none from outside", async () => {
    await install(dev, "proto", `export function proto() { return JSON.parse('{"a":{"__proto__":{"x":1}}}'); }`);
    expect(await dev.call("proto", {})).toMatchObject({ status: 502, body: { code: "output_not_json" } });
  });

  it("has secrets redacted also where they are escaped, in logs and errors", async () => {
    const value = 'line one\nsecond "line" of\\it';
    await write("PUT", "/registry/secrets/pem", { value });
    const code = `export function leak(_, ctx) {
      ctx.log.info({ pem: ctx.secrets.pem });
      console.log("plain " + ctx.secrets.pem);
      throw new Error("failed with " + JSON.stringify({ pem: ctx.secrets.pem }));
    }`;
    await install(dev, "leak", code, { secrets: ["pem"] });
    const { body } = await dev.call("leak", {});
    await waitUntil(() => dev.output().includes("plain [secret pem]"), 5_000, dev.output);
    for (const text of [JSON.stringify(body), dev.output()]) expect(text).not.toContain("second");
  });
});

// Last, because processes that start again are no place for calls with a short time-out.
describe("an output whose fields have names of megabytes", () => {
  const field = "k".repeat(3_000_000);
  beforeAll(async () => {
    const closed = { schema: { type: "object", additionalProperties: { type: "number" } } };
    const retry = { max_attempts: 1 };
    await install(dev, "strict", "export const strict = (input) => input;", { output_type: closed, retry });
  });

  it("is refused, and keeps no other record from being written", async () => {
    const refused = await write("POST", "/ops/strict", { [field]: "no number" });
    expect(refused).toMatchObject({ status: 502, body: { code: "output_invalid" } });
    const fine = await dev.request("/ops/identity", { method: "POST", body: "1" });
    const id = fine.headers.get("execution-id") ?? "";
    await waitUntil(async () => (await listed(dev, "identity")).some((view) => view.id === id), 10_000);
    expect(await listed(dev, "strict")).toMatchObject([{ status: "failed", error: { code: "output_invalid" } }]);
  });

  it("ends its execution like any other failure", async () => {
    const id = await accepted(dev, "strict", { [field]: "no number" });
    expect(await ended(dev, id)).toMatchObject({ status: "dead", error: { code: "output_invalid" } });
  });

  it("is the answer to its Idempotency-Key", async () => {
    const body = JSON.stringify({ [field]: "no number" });
    const call = () => dev.request("/ops/strict", { method: "POST", body, headers: { "idempotency-key": "k" } });
    expect([(await call()).status, (await call()).status]).toEqual([502, 502]);
  });
});

describe("sockets", () => {
  it("come back when their files are removed", async () => {
    const folder = path.join(dev.state, "run", "x");
    for (const file of readdirSync(folder)) if (/^e[0-9]+\.sock$/.test(file)) rmSync(path.join(folder, file));
    expect(await dev.call("identity", 1)).toMatchObject({ status: 200, body: 1 });
  });
});

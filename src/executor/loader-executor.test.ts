/** What code can and cannot do in an isolate, on the real runtime: workerd behind a small edge (executor-edge.ts). */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { buildSync } from "esbuild";
import { Miniflare, type MiniflareOptions } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LIMITS } from "../core/limits.ts";
import type { InvocationResult } from "../model/invocation.ts";

type Order = {
  code: string;
  network?: string[];
  secrets?: Record<string, string>;
  timeout_ms?: number;
  isolate?: string;
};
type Output = Extract<InvocationResult, { ok: true }>;

const root = path.resolve(import.meta.dirname, "../..");
/** As every real platform has it: public addresses only. */
let confined: Miniflare;
/** One that may reach this machine, to see what the Gate alone does. */
let open: Miniflare;
let canary: Server;
let port: number;
const visits: string[] = [];
let isolates = 0;

function startEdge(network: { allow: string[]; deny?: string[] }): Miniflare {
  const script = buildSync({
    entryPoints: [path.join(root, "test/workerd/executor-edge.ts")],
    bundle: true,
    format: "esm",
    write: false,
    external: ["cloudflare:*", "node:*"],
  })
    .outputFiles.map((file) => file.text)
    .join("");
  return new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2026-07-01",
    workerLoaders: { LOADER: {} },
    outboundService: { network },
  } as MiniflareOptions);
}

beforeAll(async () => {
  canary = createServer((request, response) => {
    visits.push(request.url ?? "");
    if (request.url === "/away") response.writeHead(302, { location: `http://localhost:${port}/arrived` });
    if (request.url === "/round") response.writeHead(302, { location: "/arrived" });
    response.end("reached");
  }).listen(0, "127.0.0.1");
  await once(canary, "listening");
  ({ port } = canary.address() as AddressInfo);
  confined = startEdge({ allow: ["public"], deny: ["64:ff9b::/96"] });
  open = startEdge({ allow: ["private", "public"] });
  await Promise.all([confined.ready, open.ready]);
}, 30_000);

afterAll(async () => {
  await Promise.all([confined?.dispose(), open?.dispose()]);
  canary?.close();
});

async function run(order: Order, input: unknown = {}, edge = confined): Promise<InvocationResult> {
  const whole = { operation: "tested", isolate: `i${isolates++}`, ...order };
  const response = await edge.dispatchFetch("http://edge/run", {
    method: "POST",
    headers: { order: encodeURIComponent(JSON.stringify(whole)) },
    body: JSON.stringify(input),
  });
  return (await response.json()) as InvocationResult;
}

const code = (body: string) => `export async function handler(input, ctx) { ${body} }`;

const fetching = (url: string) =>
  code(`const r = await fetch(${JSON.stringify(url)}); return [r.status, await r.text()]`);

describe("the answer of a handler", () => {
  it.each([
    ["null", "return null", "null"],
    [
      "an object, dropping undefined properties",
      "return {a: 1, b: undefined, c: [true, 'x']}",
      '{"a":1,"c":[true,"x"]}',
    ],
    ["what toJSON says", "return {at: new Date(0)}", '{"at":"1970-01-01T00:00:00.000Z"}'],
    ["an instance of a class", "class P { x = 1 } return new P()", '{"x":1}'],
    ["an object without a prototype", "return Object.assign(Object.create(null), {x: 1})", '{"x":1}'],
    ["the same object twice", "const o = {x: 1}; return [o, o]", '[{"x":1},{"x":1}]'],
  ])("run() takes %s", async (_what, body, output) => {
    expect(await run({ code: code(body) })).toEqual({ ok: true, output, logs: [] });
  });

  const deep = "let v = 1; for (let i = 0; i < DEPTH; i++) v = [v]; return v";
  it.each([
    ["undefined", "return undefined", "", "is undefined"],
    ["a BigInt", "return {a: [1n]}", "/a/0", "is a BigInt"],
    ["a function", "return {f() {}}", "/f", "is a function"],
    ["a symbol", "return [Symbol('s')]", "/0", "is a symbol"],
    ["NaN", "return {'a/b~c': NaN}", "/a~1b~0c", "is the number NaN"],
    ["Infinity", "return [0, -Infinity]", "/1", "is the number -Infinity"],
    ["a Map", "return {m: new Map()}", "/m", "is a Map"],
    ["a Set", "return new Set()", "", "is a Set"],
    ["bytes", "return new Uint8Array(3)", "", "is a Uint8Array"],
    ["a promise inside", "return {p: Promise.resolve(1)}", "/p", "is a Promise that was not awaited"],
    ["a hole", "return [1,,2]", "/1", "is undefined"],
    ["itself", "const a = {}; a.b = [a]; return a", "/b/0", "is a value that contains itself"],
    [
      "too deep a nest",
      deep.replace("DEPTH", String(LIMITS.jsonDepth + 1)),
      "/0".repeat(LIMITS.jsonDepth),
      `is nested more than ${LIMITS.jsonDepth} levels deep`,
    ],
    [
      "200,000 levels",
      deep.replace("DEPTH", "200000"),
      "/0".repeat(LIMITS.jsonDepth),
      `is nested more than ${LIMITS.jsonDepth} levels deep`,
    ],
  ])("run() answers output_not_json for %s, with the place", async (_what, body, pointer, detail) => {
    expect(await run({ code: code(body) })).toMatchObject({
      ok: false,
      error: { code: "output_not_json", errors: [{ pointer, detail }] },
    });
  });

  it("run() answers output_too_large above the limit, counted in bytes", async () => {
    const characters = Math.floor(LIMITS.jsonBytes / 2);
    expect(await run({ code: code(`return "é".repeat(${characters})`) })).toMatchObject({
      error: { code: "output_too_large", detail: expect.stringContaining(String(characters * 2 + 2)) },
    });
    expect(await run({ code: code(`return "é".repeat(${characters - 1})`) })).toMatchObject({ ok: true });
  });
});

describe("a handler that fails", () => {
  it.each([
    ["an Error", "throw new Error('boo')", "boo"],
    ["its class", "throw new RangeError('boo')", "RangeError: boo"],
    ["null", "throw null", "null"],
    ["undefined", "throw undefined", "undefined"],
    ["a string", "throw 'just text'", "just text"],
    ["an object", "throw {a: 1}", '{"a":1}'],
    [
      "getters that throw",
      "throw {get message() { throw 1 }, get code() { throw 2 }, get name() { throw 3 }, toJSON() { throw 4 }}",
      "a value that cannot be shown",
    ],
    ["a revoked proxy", "const p = Proxy.revocable({}, {}); p.revoke(); throw p.proxy", "a value that cannot be shown"],
  ])("run() answers implementation_failed with %s", async (_what, body, detail) => {
    expect(await run({ code: code(body) })).toMatchObject({
      ok: false,
      error: { code: "implementation_failed", detail },
      retry: { kind: "may" },
    });
  });

  it("run() passes on what the error says about trying again", async () => {
    expect(await run({ code: code("throw Object.assign(new Error('no'), {code: 'terminal'})") })).toMatchObject({
      retry: { kind: "never" },
    });
    expect(
      await run({ code: code("throw Object.assign(new Error('later'), {code: 'retry_after', after_ms: 1500})") }),
    ).toMatchObject({
      retry: { kind: "after", after_ms: 1500 },
    });
    expect(
      await run({ code: code("throw Object.assign(new Error('odd'), {code: 'retry_after', after_ms: 'x'})") }),
    ).toMatchObject({ retry: { kind: "may" } });
  });

  it("run() cuts a huge message", async () => {
    const result = await run({ code: code("throw new Error('x'.repeat(10_000_000))") });
    expect(result.ok ? 0 : result.error.detail.length).toBeLessThan(LIMITS.logLineChars + 100);
  });

  it.each([
    ["does not parse", "export function handler( {", "Unexpected"],
    ["throws while loading", "throw new TypeError('no luck')", "TypeError: no luck"],
    ["imports what is not there", "import './other.js'; export const handler = () => 1", "other.js"],
    ["imports a Node built-in", "import fs from 'node:fs'; export const handler = () => fs", "node:fs"],
    ["lacks the export", "export const other = 1", "is missing"],
    ["exports something else", "export const handler = {}", "of type object"],
  ])("run() answers module_invalid when the module %s", async (_what, source, part) => {
    const order = { code: source, isolate: `broken${isolates++}` };
    const expected = { ok: false, error: { code: "module_invalid", detail: expect.stringContaining(part) } };
    expect(await run(order)).toMatchObject(expected);
    expect(await run(order)).toMatchObject(expected);
  });

  it("run() answers timeout for a promise that never settles, aborts ctx.signal, and the isolate lives on", async () => {
    const isolate = "never";
    const source =
      "let aborted = 0; export async function handler(input, ctx) { if (input.count) return aborted; ctx.signal.addEventListener('abort', () => aborted++); console.log('began'); await new Promise(() => {}); }";
    const result = await run({ code: source, isolate, timeout_ms: 100 });
    expect(result).toMatchObject({
      ok: false,
      error: { code: "timeout" },
      logs: [{ level: "info", message: "began" }],
    });
    expect(await run({ code: source, isolate }, { count: true })).toMatchObject({ ok: true, output: "1" });
  });

  it("run() answers timeout even when the code has cleared every timer", async () => {
    const body = "for (let i = 0; i < 1000; i++) clearTimeout(i); await new Promise(() => {})";
    expect(await run({ code: code(body), timeout_ms: 100 })).toMatchObject({ ok: false, error: { code: "timeout" } });
  });
});

describe("the context of a handler", () => {
  it("run() gives it the execution, secrets, and a log with levels", async () => {
    const body = `ctx.log.debug("d", {a: [1]}); ctx.log.info("i"); ctx.log.warn(1n); ctx.log.error(new Error("e").message); console.log("c", null, undefined);
      return {execution: {...ctx.execution, id: "-"}, secret: ctx.secrets.API_KEY, own: Object.keys(ctx), taken: (({ call }) => typeof call)(ctx)}`;
    const result = (await run({ code: code(body), secrets: { API_KEY: "k-123456" } })) as Output;
    expect(JSON.parse(result.output)).toEqual({
      execution: { id: "-", attempt: 1, operation: "tested", revision: 1, caller: { type: "token", id: "test" } },
      secret: "k-123456",
      own: [],
      taken: "function",
    });
    expect(result.logs.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'debug: d {"a":[1]}',
      "info: i",
      "warn: 1n",
      "error: e",
      "info: c null undefined",
    ]);
  });

  it("run() blots secrets out of logs and error text", async () => {
    const body =
      "console.log('key=' + ctx.secrets.KEY, {deep: ctx.secrets.KEY}); throw new Error('bad ' + ctx.secrets.KEY)";
    const text = JSON.stringify(await run({ code: code(body), secrets: { KEY: "hunter-two" } }));
    expect(text).toContain("[secret KEY]");
    expect(text).not.toContain("hunter-two");
  });

  it("run() caps log lines, in number and length, and says so", async () => {
    const result = (await run({
      code: code("for (let i = 0; i < 1000; i++) console.log('y'.repeat(10000)); return 1"),
    })) as Output;
    expect(result.logs).toHaveLength(LIMITS.logLines + 1);
    expect(result.logs[0]?.message.length).toBeLessThan(LIMITS.logLineChars + 50);
    expect(result.logs.at(-1)?.message).toContain("further lines were dropped");
  });

  it("run() tells apart the console lines of calls that overlap", async () => {
    const order = {
      code: code("for (let i = 0; i < 3; i++) { console.log(input.name); await scheduler.wait(5); } return 1"),
      isolate: "overlap",
    };
    const results = (await Promise.all(["a", "b", "c"].map((name) => run(order, { name })))) as Output[];
    expect(results.map((each) => each.logs.map((line) => line.message).join(""))).toEqual(["aaa", "bbb", "ccc"]);
  });

  it("ctx.call goes through the platform, its problems come back as errors with a code", async () => {
    const ok = (await run({ code: code("return ctx.call('other', {q: 1})") })) as Output;
    expect(JSON.parse(ok.output)).toEqual({ called: "/ops/other", with: { q: 1 }, bearer: "Bearer the-capability" });
    const body =
      "try { await ctx.call('missing') } catch (e) { return [e instanceof Error, e.code, e.message, e.hint] }";
    expect(await run({ code: code(body) })).toMatchObject({
      output: '[true,"operation_not_found","Cannot find it","look again"]',
    });
  });

  it("ctx.call is limited per invocation, and dies with it", async () => {
    const many = `let n = 0; try { for (;;) { await ctx.call("other", {}); n++ } } catch (e) { return [n, e.code] }`;
    expect(await run({ code: code(many) })).toMatchObject({
      output: `[${LIMITS.callsPerInvocation},"call_limit_exceeded"]`,
    });
    const source =
      "let kept; export async function handler(input, ctx) { if (!kept) { kept = ctx; return 1 } try { await kept.call('other'); return 'alive' } catch { return 'dead' } }";
    await run({ code: source, isolate: "kept" });
    expect(await run({ code: source, isolate: "kept" })).toMatchObject({ output: '"dead"' });
  });

  it("ctx.artifacts says that it is not there yet", async () => {
    expect(await run({ code: code("return ctx.artifacts") })).toMatchObject({
      error: { detail: "ctx.artifacts is not available in this version" },
    });
  });
});

describe("the walls of an isolate", () => {
  it.each([
    ["eval", "return eval('1 + 1')"],
    ["new Function", "return new Function('return 1')()"],
    ["a constructor's constructor", "return (() => {}).constructor('return 1')()"],
    ["WebAssembly from bytes", "return await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])) && 1"],
  ])("run() refuses %s", async (_what, body) => {
    expect(await run({ code: code(body) })).toMatchObject({
      ok: false,
      error: { code: "implementation_failed", detail: expect.stringMatching(/disallowed|not allowed/i) },
    });
  });

  it("run() keeps globals apart between operations, and between the code and the platform", async () => {
    await run({
      code: code("globalThis.leak = 1; Array.prototype.leak = 1; JSON.parse = () => 'mine'; return 1"),
      isolate: "writer",
    });
    expect(
      await run({ code: code("return [typeof leak, typeof [].leak, JSON.parse('1')]"), isolate: "reader" }),
    ).toMatchObject({ output: '["undefined","undefined",1]' });
  });

  it("run() works on in an isolate whose code has spoilt the language", async () => {
    const source = `export function handler(input) { JSON.stringify = JSON.parse = () => "spoilt"; Promise.prototype.then = Promise.race = undefined; Object.freeze = () => {}; Array.prototype.push = undefined; Object.prototype.toJSON = undefined; globalThis.setTimeout = undefined; return input }`;
    for (const n of [1, 2])
      expect(await run({ code: source, isolate: "spoilt" }, { n })).toMatchObject({ ok: true, output: `{"n":${n}}` });
  });

  it("run() shows the code neither env nor the capability, nor a way to change the entrypoint", async () => {
    const source = `import * as workers from "cloudflare:workers"; import * as main from "./switchyard-main.js";
      export function handler() {
        const tried = [];
        for (const [name, attempt] of Object.entries({
          run: () => { main.default.prototype.run = () => "mine"; },
          extend: () => { Object.setPrototypeOf(main.default.prototype, {}); },
        })) try { attempt(); tried.push(name) } catch {}
        return {env: workers.env, tried, exported: Object.keys(main)};
      }`;
    expect(await run({ code: source, secrets: { KEY: "hunter-two" } })).toMatchObject({
      ok: true,
      output: '{"env":{},"tried":[],"exported":["default"]}',
    });
    const seen = await run({
      code: "let seen = []; const { stringify } = JSON; for (const f of ['stringify', 'parse']) { const old = JSON[f]; JSON[f] = (...a) => { seen.push(a); return old(...a) } } export function handler(input, ctx) { return stringify([seen, Object.keys(ctx.execution)]) }",
    });
    expect(JSON.stringify(seen)).not.toContain("the-capability");
  });
});

describe("the network of an isolate", () => {
  const spellings = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "127.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "localhost",
    "0.0.0.0",
    "[::]",
  ];

  it("fetch() is refused without a network list, in every spelling of this machine", async () => {
    for (const host of spellings) {
      expect(await run({ code: fetching(`http://${host}:${port}/none`) }, {}, open), host).toMatchObject({
        ok: false,
        error: { code: "implementation_failed", hint: expect.stringContaining("network") },
      });
    }
    expect(visits).not.toContain("/none");
  });

  it("fetch() of an unlisted host is refused by name, in every spelling", async () => {
    for (const host of [...spellings, "169.254.169.254", "[fd00:ec2::254]"]) {
      expect(
        await run({ code: fetching(`http://${host}:${port}/unlisted`), network: ["example.com"] }, {}, open),
        host,
      ).toMatchObject({
        error: {
          detail: expect.stringContaining(
            'the network list of operation "tested" must name the host; it is ["example.com"]',
          ),
        },
      });
    }
    expect(visits).not.toContain("/unlisted");
  });

  it("fetch() of a listed host that leads to a private address is refused by the runtime", async () => {
    const hosts = ["127.0.0.1", "localhost", "0.0.0.0"];
    for (const host of [...spellings, "169.254.169.254"]) {
      const network = [...hosts.map((each) => `${each}:${port}`), "169.254.169.254"];
      const url = host === "169.254.169.254" ? `http://${host}/latest/meta-data` : `http://${host}:${port}/private`;
      expect(await run({ code: fetching(url), network }), host).toMatchObject({
        ok: false,
        error: { detail: expect.stringMatching(/must be reachable at a public address|must name the host/) },
      });
    }
    expect(visits).not.toContain("/private");
  });

  it("fetch() reaches a listed host and port, and nothing by way of a redirect that is not listed", async () => {
    const network = [`127.0.0.1:${port}`];
    expect(await run({ code: fetching(`http://127.0.0.1:${port}/plain`), network }, {}, open)).toMatchObject({
      output: '[200,"reached"]',
    });
    expect(await run({ code: fetching(`http://127.0.0.1:${port}/round`), network }, {}, open)).toMatchObject({
      output: '[200,"reached"]',
    });
    const before = visits.length;
    expect(await run({ code: fetching(`http://127.0.0.1:${port}/away`), network }, {}, open)).toMatchObject({
      error: { detail: expect.stringContaining("must name the host") },
    });
    expect(visits.slice(before)).toEqual(["/away"]);
    expect(
      await run({ code: fetching(`http://127.0.0.1:${port}/port`), network: ["127.0.0.1"] }, {}, open),
    ).toMatchObject({ ok: false });
  });

  it("connect() is refused with and without a network list", async () => {
    const source = `import { connect } from "cloudflare:sockets"; export async function handler() { await connect("127.0.0.1:${port}").opened; return "open" }`;
    for (const network of [[], [`127.0.0.1:${port}`]])
      expect(await run({ code: source, network }, {}, open)).toMatchObject({ ok: false });
  });
});

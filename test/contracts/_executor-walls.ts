/** The contract of executors: what code cannot reach: the language's back doors, others, the platform, the network. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fetching, freshIsolate, handler, LOOPBACK_SPELLINGS, type Run } from "./_executor-order.ts";

export function wallCases(run: Run): void {
  describe("the walls of an isolate", () => {
    it.each([
      ["eval", "return eval('1 + 1')"],
      ["new Function", "return new Function('return 1')()"],
      ["a constructor's constructor", "return (() => {}).constructor('return 1')()"],
      [
        "WebAssembly from bytes",
        "return await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])) && 1",
      ],
    ])("run() refuses %s", async (_what, body) => {
      expect(await run({ code: handler(body) })).toMatchObject({
        ok: false,
        error: { code: "implementation_failed", detail: expect.stringMatching(/disallowed|not allowed/i) },
      });
    });

    it("run() keeps globals apart between operations, and between the code and the platform", async () => {
      await run({
        operation: "writer",
        code: handler("globalThis.leak = 1; Array.prototype.leak = 1; JSON.parse = () => 'mine'; return 1"),
      });
      const reader = { operation: "reader", code: handler("return [typeof leak, typeof [].leak, JSON.parse('1')]") };
      expect(await run(reader)).toMatchObject({ output: '["undefined","undefined",1]' });
    });

    it("run() works on in an isolate whose code has spoilt the language", async () => {
      const order = {
        code: `export function handler(input) { JSON.stringify = JSON.parse = () => "spoilt"; Promise.prototype.then = Promise.race = undefined; Object.freeze = () => {}; Array.prototype.push = undefined; Object.prototype.toJSON = undefined; globalThis.setTimeout = undefined; return input }`,
        isolate: freshIsolate(),
      };
      for (const n of [1, 2]) expect(await run(order, { n })).toMatchObject({ ok: true, output: `{"n":${n}}` });
    });

    it("run() shows the code neither env nor the capability, nor a way to change the entrypoint", async () => {
      const code = `import * as workers from "cloudflare:workers"; import * as main from "./switchyard-main.js";
        export function handler() {
          const tried = [];
          for (const [name, attempt] of Object.entries({
            run: () => { main.default.prototype.run = () => "mine"; },
            extend: () => { Object.setPrototypeOf(main.default.prototype, {}); },
          })) try { attempt(); tried.push(name) } catch {}
          return {env: workers.env, tried, exported: Object.keys(main)};
        }`;
      expect(await run({ code, secrets: { KEY: "hunter-two" } })).toMatchObject({
        ok: true,
        output: '{"env":{},"tried":[],"exported":["default"]}',
      });
      const seen = await run({
        code: "let seen = []; const { stringify } = JSON; for (const f of ['stringify', 'parse']) { const old = JSON[f]; JSON[f] = (...a) => { seen.push(a); return old(...a) } } export function handler(input, ctx) { return stringify([seen, Object.keys(ctx.execution)]) }",
      });
      expect(seen).toMatchObject({ ok: true });
      expect(JSON.stringify(seen)).not.toContain("the-capability");
    });
  });

  describe("the network of an isolate", () => {
    let canary: Server;
    let port: number;
    const visits: (string | undefined)[] = [];

    beforeAll(async () => {
      canary = createServer((request, response) => {
        visits.push(request.url);
        response.end("reached");
      }).listen(0, "127.0.0.1");
      await once(canary, "listening");
      ({ port } = canary.address() as AddressInfo);
    });
    afterAll(() => void canary?.close());

    it("fetch() is refused without a network list, with a hint", async () => {
      for (const url of [
        `http://127.0.0.1:${port}/`,
        "http://169.254.169.254/latest/meta-data",
        "https://example.com/",
      ])
        expect(await run({ code: fetching(url) }), url).toMatchObject({
          ok: false,
          error: { code: "implementation_failed", hint: expect.stringContaining("network") },
        });
      expect(visits).toEqual([]);
    });

    it("fetch() of an unlisted host is refused by name", async () => {
      for (const host of [`127.0.0.1:${port}`, "169.254.169.254", "[fd00:ec2::254]", "sub.example.com"])
        expect(await run({ code: fetching(`http://${host}/`), network: ["example.com"] }), host).toMatchObject({
          ok: false,
          error: {
            code: "implementation_failed",
            detail: expect.stringContaining(
              'the network list of operation "tested" must name the host; it is ["example.com"]',
            ),
          },
        });
      expect(visits).toEqual([]);
    });

    it("fetch() of a listed host that leads to a private address is refused by the runtime", async () => {
      const network = ["127.0.0.1", "localhost", "0.0.0.0"].map((host) => `${host}:${port}`);
      const urls = LOOPBACK_SPELLINGS.map((host) => `http://${host}:${port}/`);
      for (const url of [...urls, "http://169.254.169.254/latest/meta-data"])
        expect(await run({ code: fetching(url), network: [...network, "169.254.169.254"] }), url).toMatchObject({
          ok: false,
          error: { detail: expect.stringMatching(/must be reachable at a public address|must name the host/) },
        });
      expect(visits).toEqual([]);
    });

    it("connect() is refused with and without a network list", async () => {
      const code = `import { connect } from "cloudflare:sockets"; export async function handler() { await connect("127.0.0.1:${port}").opened; return "open" }`;
      for (const network of [[], [`127.0.0.1:${port}`]])
        expect(await run({ code, network })).toMatchObject({ ok: false });
    });
  });
}

/**
 * What the Gate alone does: isolates of an edge whose own network reaches this machine, so that nothing else refuses.
 * All that holds for every executor is in test/contracts/executor.ts.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LoaderEdge, startLoaderEdge } from "../../test/contracts/_executor-edges.ts";
import { fetching, LOOPBACK_SPELLINGS, runnerOf } from "../../test/contracts/_executor-order.ts";

let open: LoaderEdge;
let canary: Server;
let port: number;
const visits: string[] = [];
const run = runnerOf(() => open.executor);
const at = (path: string, network = [`127.0.0.1:${port}`]) =>
  run({ code: fetching(`http://127.0.0.1:${port}${path}`), network });

beforeAll(async () => {
  canary = createServer((request, response) => {
    visits.push(request.url ?? "");
    if (request.url === "/away") response.writeHead(302, { location: `http://localhost:${port}/arrived` });
    if (request.url === "/round") response.writeHead(302, { location: "/arrived" });
    response.end("reached");
  }).listen(0, "127.0.0.1");
  await once(canary, "listening");
  ({ port } = canary.address() as AddressInfo);
  open = await startLoaderEdge({ allow: ["private", "public"] });
}, 30_000);

afterAll(async () => {
  await open?.close();
  canary?.close();
});

describe("the network of an isolate where the runtime refuses nothing", () => {
  it("fetch() is refused without a network list, in every spelling of this machine", async () => {
    for (const host of LOOPBACK_SPELLINGS) {
      expect(await run({ code: fetching(`http://${host}:${port}/none`) }), host).toMatchObject({
        ok: false,
        error: { code: "implementation_failed", hint: expect.stringContaining("network") },
      });
    }
    expect(visits).not.toContain("/none");
  });

  it("fetch() of an unlisted host is refused by name, in every spelling", async () => {
    for (const host of [...LOOPBACK_SPELLINGS, "169.254.169.254", "[fd00:ec2::254]"]) {
      const order = { code: fetching(`http://${host}:${port}/unlisted`), network: ["example.com"] };
      expect(await run(order), host).toMatchObject({
        error: {
          detail: expect.stringContaining(
            'the network list of operation "tested" must name the host; it is ["example.com"]',
          ),
        },
      });
    }
    expect(visits).not.toContain("/unlisted");
  });

  it("fetch() reaches a listed host and port, and nothing by way of a redirect that is not listed", async () => {
    expect(await at("/plain")).toMatchObject({ output: '[200,"reached"]' });
    expect(await at("/round")).toMatchObject({ output: '[200,"reached"]' });
    const before = visits.length;
    expect(await at("/away")).toMatchObject({ error: { detail: expect.stringContaining("must name the host") } });
    expect(visits.slice(before)).toEqual(["/away"]);
    expect(await at("/port", ["127.0.0.1"])).toMatchObject({ ok: false });
  });

  it("connect() is refused with and without a network list", async () => {
    const code = `import { connect } from "cloudflare:sockets"; export async function handler() { await connect("127.0.0.1:${port}").opened; return "open" }`;
    for (const network of [[], [`127.0.0.1:${port}`]])
      expect(await run({ code, network })).toMatchObject({ ok: false });
  });
});

/** What a call at a path hands to dispatch: whose it is, how deep, and when. */
import { beforeEach, expect, it } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import type { DispatchPorts, KeptCall } from "../../dispatch/dispatch.ts";
import { restPathOf } from "../../model/rest-path.ts";
import { PathTable } from "../../registry/path-table.ts";
import { fakePlatform, ID, POST } from "../_fake-platform.node.ts";

type Init = Parameters<ReturnType<typeof fakePlatform>["request"]>[2];

let kept: KeptCall[];
let looked: unknown[];
let send: (method: string, path: string, init?: Init) => Promise<Response>;
let capability: () => Promise<string>;

beforeEach(() => {
  const fake = fakePlatform();
  const table = new PathTable();
  table.set("double", restPathOf("PUT /doubles/{n}"));
  table.set("read", restPathOf("GET /doubles/{n}"));
  kept = [];
  looked = [];
  const schema = { type: "object", properties: { n: { type: "integer" } } };
  const input = { schema, any: false, check: (value: unknown) => ({ ok: true, value, changed: false }) };
  const operation = { ...fake.state.operation, isAsync: true, rateLimit: null, input, output: input };
  Object.assign(fake.platform.registry, {
    async restPaths(wanted: { minRegistryRevision?: number }) {
      looked.push(wanted);
      if (wanted.minRegistryRevision === 9) throw new SwitchyardError("registry_behind", "Cannot serve it yet");
      return table;
    },
  });
  const ports = {
    registry: { resolve: async () => ({ operation, stale: true }) },
    keeper: {
      async keep(call: KeptCall) {
        kept.push(call);
        return { id: ID, repeated: false };
      },
    },
    now: () => 0,
  };
  Object.assign(fake.platform, { dispatch: ports as unknown as DispatchPorts });
  send = fake.request;
  capability = fake.capability;
});

it("a running handler calls with its principal's rights, one deeper", async () => {
  const headers = { "caller-execution": ID };
  const response = await send("PUT", "/doubles/2", { as: await capability(), headers });
  expect([response.status, response.headers.get("registry-stale")]).toEqual([202, "true"]);
  expect(kept).toMatchObject([
    {
      depth: 1,
      principal: { id: "owner" },
      caller: { type: "execution", id: ID },
      input: { value: { n: 2 }, text: '{"n":2}' },
    },
  ]);
});

it("a token calls with its own, and an Idempotency-Key goes along", async () => {
  await send("PUT", "/doubles/2", { ...POST, headers: { ...POST.headers, "idempotency-key": "k" } });
  expect(kept).toMatchObject([{ depth: 0, caller: { type: "token", id: "owner" }, idempotencyKey: "k" }]);
  expect((await send("PUT", "/doubles/2", { as: "elsewhere" })).status).toBe(403);
});

it("the registry revision that is asked for holds for the table of paths, too", async () => {
  const headers = { "min-registry-revision": "9" };
  expect((await send("PUT", "/doubles/2", { headers })).status).toBe(503);
  expect((await send("PUT", "/doubles/2", { headers: { "min-registry-revision": "x" } })).status).toBe(400);
  expect(looked).toEqual([{ minRegistryRevision: 9 }]);
});

it("the platform's routes are looked at first, and no table with them", async () => {
  expect((await send("DELETE", "/ops/double")).status).toBe(405);
  expect((await send("OPTIONS", "/ops/double")).headers.get("allow")).toBe("POST, GET");
  expect((await send("GET", "/health/nothing")).status).toBe(404);
  expect(looked).toHaveLength(1);
});

it("a body is checked as everywhere", async () => {
  const refused = async (init: Init): Promise<number> => (await send("PUT", "/doubles/2", init)).status;
  expect(await refused({ body: "n=1" })).toBe(415);
  expect(await refused({ ...POST, body: "{" })).toBe(400);
  expect(await refused({ ...POST, body: "[]" })).toBe(400);
  expect(await refused({ ...POST, body: '{"n":1}' })).toBe(400);
  expect((await send("PUT", "/doubles/2?__proto__=1")).status).toBe(400);
});

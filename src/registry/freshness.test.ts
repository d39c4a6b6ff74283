import { INLINE_ADAPTER } from "../model/environment.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN, fixture, MASTER_KEY, storeModule, type Fixture } from "./_fixture.node.ts";
import { openFile } from "./database.node.ts";
import { openDatabase } from "./database.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { serveDatabase, type Server } from "./server.node.ts";

/** A registry that reads through a network that can be cut, and one beside it that writes to the same file. */
let base: Fixture;
let server: Server;
let reader: Registry;
let network: "up" | "down" | "silent";
let requests: number;
let token: string;
let closeServed: () => void;

beforeEach(async () => {
  base = await fixture();
  const served = await openFile(base.file, { intMode: "bigint" });
  closeServed = () => served.client.close();
  server = await serveDatabase({ client: served.client, listen: { port: 0 }, secret: "s" });
  network = "up";
  requests = 0;
  const database = openDatabase({
    url: server.url,
    authToken: "s",
    fetch: async (request) => {
      requests++;
      if (network === "down") throw new TypeError("connection refused");
      if (network === "silent")
        await new Promise((_resolve, reject) =>
          request.signal.addEventListener("abort", () => reject(new Error("aborted"))),
        );
      return fetch(request);
    },
    timeoutMs: 1_000,
  });
  reader = createRegistry({ database, masterKey: MASTER_KEY, adapters: [INLINE_ADAPTER], clock: () => base.clock.now });
  await storeModule(base, "echo");
  await base.run("create_operation", { name: "demo", implemented_at: "echo:echo" });
  await base.run("create_operation", { name: "other", implemented_at: "echo:echo" });
  token = String((await base.run("create_token", { name: "ci", scopes: ["ops:invoke"] }))["token"]);
});
afterEach(async () => {
  await server.close();
  closeServed();
  await base.close();
});

const edit = (description: string) =>
  base.registry.write({ action: "edit", kind: "operation", name: "demo", patch: { description } }, ADMIN);
const revision = async () => (await reader.resolve("demo")).operation.revision;

describe("resolve()", () => {
  test("looks again where the clock was put back", async () => {
    await reader.resolve("demo");
    base.clock.now -= 3_600_000;
    await edit("another");
    expect(await revision()).toBe(2);
  });

  test("takes one round trip the first time and none while the cache is fresh", async () => {
    await reader.resolve("demo");
    expect(requests).toBe(1);
    await reader.resolve("demo");
    base.clock.now += 1_000;
    await reader.resolve("demo");
    expect(requests).toBe(1);
    await reader.resolve("other");
    expect(requests).toBe(2);
  });

  test("shares one query among callers who miss at once", async () => {
    await reader.resolve("other");
    requests = 0;
    await Promise.all(Array.from({ length: 20 }, () => reader.resolve("demo")));
    expect(requests).toBe(1);
  });

  test("looks again after maxStaleMs, and drops only what changed", async () => {
    expect(await revision()).toBe(1);
    await reader.resolve("other");
    await edit("new");
    expect(await revision()).toBe(1);
    base.clock.now += 1_001;
    requests = 0;
    expect(await revision()).toBe(2);
    expect(requests).toBe(2);
    await reader.resolve("other");
    expect(requests).toBe(2);
  });

  test("never shows less than Min-Registry-Revision asks for", async () => {
    expect(await revision()).toBe(1);
    const { registryRevision } = await edit("new");
    const { operation } = await reader.resolve("demo", { minRegistryRevision: registryRevision });
    expect(operation.revision).toBe(2);
    await expect(reader.resolve("demo", { minRegistryRevision: registryRevision + 1 })).rejects.toMatchObject({
      code: "registry_behind",
    });
  });

  test("sees what was written through the same object at once", async () => {
    expect(await revision()).toBe(1);
    await reader.write({ action: "edit", kind: "operation", name: "demo", patch: { description: "new" } }, ADMIN);
    expect(await revision()).toBe(2);
  });

  test("does not keep for good what was not there", async () => {
    await expect(reader.resolve("late")).rejects.toMatchObject({ code: "operation_not_found" });
    await base.run("create_operation", { name: "late", implemented_at: "echo:echo" });
    expect((await reader.resolve("late")).operation.name).toBe("late");
  });

  test("does not keep an answer that a write overtook", async () => {
    await reader.resolve("other");
    const resolving = reader.resolve("demo");
    await Promise.all([
      resolving,
      reader.write({ action: "edit", kind: "operation", name: "demo", patch: { description: "new" } }, ADMIN),
    ]);
    expect(await revision()).toBe(2);
  });
});

describe.each(["down", "silent"] as const)("while the database is %s", (state) => {
  const withoutDatabase = async (ageMs: number) => {
    await reader.resolve("demo");
    await reader.authenticate(token);
    network = state;
    base.clock.now += ageMs;
  };

  test("cached operations go on, marked stale, and heal by themselves", async () => {
    await withoutDatabase(1_001);
    const startedAt = Date.now();
    expect((await reader.resolve("demo")).stale).toBe(true);
    expect(Date.now() - startedAt).toBeLessThan(3_000);
    await edit("new");
    base.clock.now += 9 * 60_000;
    expect(await reader.resolve("demo")).toMatchObject({ stale: true, operation: { revision: 1 } });
    network = "up";
    base.clock.now += 1_000;
    expect(await reader.resolve("demo")).toMatchObject({ stale: false, operation: { revision: 2 } });
  });

  test("nobody but the first waits for it", async () => {
    await withoutDatabase(1_001);
    await reader.resolve("demo");
    const startedAt = Date.now();
    for (let call = 0; call < 50; call++) await reader.resolve("demo");
    expect(Date.now() - startedAt).toBeLessThan(2_000);
  });

  test("cached operations end after ten minutes, cached tokens after one", async () => {
    await withoutDatabase(60_001);
    await expect(reader.authenticate(token)).rejects.toMatchObject({ code: "registry_unavailable" });
    expect((await reader.resolve("demo")).stale).toBe(true);
    base.clock.now += 9 * 60_000;
    await expect(reader.resolve("demo")).rejects.toMatchObject({ code: "registry_unavailable" });
  });

  test("cached tokens go on for a minute", async () => {
    await withoutDatabase(30_000);
    expect((await reader.authenticate(token)).name).toBe("ci");
  });

  test("what is not cached, and every write, is refused cleanly", async () => {
    await withoutDatabase(1_001);
    await expect(reader.resolve("other")).rejects.toMatchObject({ code: "registry_unavailable" });
    const write = reader.write({ action: "delete", kind: "operation", name: "demo" }, ADMIN);
    await expect(write).rejects.toMatchObject({ code: "registry_unavailable" });
    await expect(reader.revision()).rejects.toMatchObject({ code: "registry_unavailable" });
  });
});

test("the cache is bounded by the number of its entries", async () => {
  const small = base.another({ cache: { maxEntries: 1, maxBytes: 1_000_000 } });
  await small.resolve("demo");
  await small.resolve("other");
  await base.client.execute("DELETE FROM entities WHERE name = 'demo'");
  await small.resolve("other");
  await expect(small.resolve("demo")).rejects.toMatchObject({ code: "operation_not_found" });
});

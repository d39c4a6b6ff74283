/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The object of a service: hot when it is wanted, cold when it is not, and never a request that fails for it. */
import { describe, expect, it, vi } from "vitest";
import { clock, SECOND, START, TestWorld } from "./services-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

describe("a service", () => {
  it("sleeps while nobody wants it", async () => {
    const world = new TestWorld();
    await world.changed();
    expect(await world.status()).toMatchObject({ state: "cold", wanted: 0, replicas: [] });
    expect(await world.stub.alarmAt()).toBeNull();
  });

  it("is started for a request, kept while it idles, and stopped after five minutes", async () => {
    const world = new TestWorld();
    const answer = await world.acquire();
    expect(answer).toMatchObject({ kind: "lease", ttlMs: 1_000, replicas: [{ place: "one", environment: "own" }] });
    expect(world.begun).toHaveLength(1);
    await world.report();
    await world.pass(299 * SECOND);
    expect(await world.phases()).toEqual(["ready"]);
    await world.pass(4 * SECOND);
    expect(world.stopped).toEqual(world.begun);
    expect(await world.status()).toMatchObject({ state: "cold", replicas: [] });
    await world.pass(60 * SECOND);
    expect(await world.stub.alarmAt()).toBeNull();
    expect(clock.now).toBeGreaterThan(START);
  });
});

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { READY_MADE } from "../machines/ready-made.ts";
import type { Principal } from "../model/principal.ts";
import { fixture, HOSTING, type Fixture } from "./_fixture.node.ts";
import { COLD_SERVICES } from "./builtins/_services.test-util.ts";
import type { WiredPorts } from "./builtins/execution-functions.ts";
import { runBuiltin } from "./builtins/run-builtin.ts";
import type { Json } from "./schema.ts";

let base: Fixture;
beforeAll(async () => {
  base = await fixture({ builtins: true, adapters: HOSTING });
  await base.run("create_environment", { name: "lab", adapter: "hosts" });
  await base.run("create_secret", { name: "key", value: "first", groups: ["default"] });
  await base.run("create_service", ALBUMS);
});
afterAll(() => base.close());

const ALBUMS: Json = {
  name: "albums",
  environment: "lab",
  run: { process: { command: ["albums"] } },
  secrets: { API_KEY: "key" },
};
const DOOR: Json = { name: "door", service: "albums" };

describe("rows that services go by", () => {
  test("come from memory until they change", async () => {
    await base.registry.resolve("get_service");
    await base.run("create_exposure", DOOR);
    const door = await base.registry.exposure("door");
    expect(door).toMatchObject({ name: "door", service: "albums", via: "auto", digest: expect.any(String) });
    expect(await base.registry.exposure("door")).toBe(door);
    await base.run("edit_exposure", { name: "door", patch: { base_path: "/v1" } });
    expect(await base.registry.exposure("door")).toMatchObject({ base_path: "/v1", revision: 2 });
    await base.run("delete_exposure", { name: "door" });
    expect(await base.registry.exposure("door")).toBeUndefined();

    const machine = await base.registry.stateMachine("hot_cold");
    expect(await base.registry.stateMachine("hot_cold")).toBe(machine);
    await base.run("edit_state_machine", { name: "hot_cold", patch: { description: "Mine." } });
    expect(await base.registry.stateMachine("hot_cold")).toMatchObject({ description: "Mine." });
    expect(await base.registry.stateMachine("none")).toBeUndefined();
  });

  test("are seen to change when somebody else has written them", async () => {
    await base.run("create_exposure", DOOR);
    const other = base.another();
    await other.resolve("get_service");
    expect(await other.exposure("door")).toMatchObject({ base_path: "" });
    expect(await other.exposure("later")).toBeUndefined();
    await base.run("edit_exposure", { name: "door", patch: { base_path: "/v1" } });
    await base.run("create_exposure", { ...DOOR, name: "later" });
    base.clock.now += 2_000;
    expect(await other.exposure("door")).toMatchObject({ base_path: "/v1" });
    expect(await other.exposure("later")).toMatchObject({ service: "albums" });
  });
});

async function opened(): Promise<Json> {
  const row = await base.registry.trigger("service", "albums");
  if (row === undefined) throw new Error("it is there");
  return base.registry.serviceSecrets(row);
}

describe("a service's secrets", () => {
  test("are opened under the names of their variables, as they are now", async () => {
    expect(await opened()).toEqual({ API_KEY: "first" });
    await base.run("edit_secret", { name: "key", patch: { value: "second" } });
    expect(await opened()).toEqual({ API_KEY: "second" });
  });

  test("are refused once the secret has been taken from its group", async () => {
    await base.run("edit_secret", { name: "key", patch: { groups: ["bank"] } });
    await expect(opened()).rejects.toMatchObject({ code: "secret_unavailable" });
    await base.run("edit_secret", { name: "key", patch: { groups: ["default"] } });
    expect(await opened()).toEqual({ API_KEY: "second" });
  });
});

const by = (id: string, scopes: Principal["scopes"]): Principal => ({ id, name: id, scopes });

/** Of which nobody knows whose it is. */
const stop = (principal: Principal) => {
  const input = { service: "albums", replica: "r-1", environment: "elsewhere", place: "somebody-elses" };
  return runBuiltin(base.registry, "stop_replica", input, principal, { services: COLD_SERVICES } as WiredPorts);
};

describe("steps of a service's replicas", () => {
  test.each([by("service:albums", ["ops:invoke"]), by("boss", ["admin"])])("may stop one: $id", async (principal) => {
    await expect(stop(principal)).resolves.toMatchObject({ output: null });
  });

  test.each([by("some_token", ["ops:invoke"]), by("service:other", ["ops:invoke"])])(
    "stop none for whoever else may direct the service: $id",
    async (principal) => {
      await expect(stop(principal)).rejects.toMatchObject({ code: "forbidden" });
    },
  );

  test("are taken also by one that is switched off: it stops what it has started", async () => {
    await base.run("edit_service", { name: "albums", patch: { active: false } });
    expect(await base.registry.principalById("service:albums")).toMatchObject({ scopes: ["ops:invoke"] });
    await expect(base.registry.principalById("service:none")).rejects.toMatchObject({ code: "trigger_inactive" });
    await base.run("edit_service", { name: "albums", patch: { active: true } });
  });
});

const count = (replicas: number) => ({ description: "", replicas, revision: "newest" as const });

/** As if a later version of the platform came with it. */
async function upgrade({ registry }: Fixture, replicas: number): Promise<readonly string[]> {
  const hotCold = READY_MADE.find(({ name }) => name === "hot_cold");
  const states = { cold: count(0), hot: count(replicas) };
  const manifest = { ...hotCold, name: "hot_cold", description: `Hot is ${replicas}.`, states };
  return (await registry.install([{ kind: "state_machine", manifest }])).map(({ name }) => name);
}

describe("a ready-made state machine", () => {
  test("is upgraded with the platform, though services go by it, until somebody edits it", async () => {
    const fresh = await fixture({ builtins: true, adapters: HOSTING });
    await fresh.run("create_environment", { name: "lab", adapter: "hosts" });
    await fresh.run("create_service", { ...ALBUMS, secrets: {} });
    expect(await upgrade(fresh, 2)).toEqual(["hot_cold"]);
    expect(await fresh.registry.stateMachine("hot_cold")).toMatchObject({ description: "Hot is 2.", revision: 2 });
    await fresh.run("edit_state_machine", { name: "hot_cold", patch: { description: "Mine." } });
    expect(await upgrade(fresh, 3)).toEqual([]);
    await fresh.close();
  });

  test("stays as it is where a service could not go along, and the platform starts all the same", async () => {
    const fresh = await fixture({ builtins: true, adapters: HOSTING });
    const said = vi.spyOn(console, "error").mockReturnValue();
    await fresh.run("create_environment", { name: "lab", adapter: "hosts" });
    await fresh.run("create_service", { ...ALBUMS, secrets: {}, replicas: { max: 1 } });
    expect(await upgrade(fresh, 2)).toEqual([]);
    expect(said.mock.calls).toEqual([[expect.stringContaining('the service \\"albums\\"')]]);
    said.mockRestore();
    await fresh.run("edit_service", { name: "albums", patch: { replicas: { max: 2 } } });
    expect(await upgrade(fresh, 2)).toEqual(["hot_cold"]);
    await fresh.close();
  });
});

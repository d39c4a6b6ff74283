import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Principal } from "../model/principal.ts";
import type { Scope } from "../model/scope.ts";
import { fixture, storeModule, type Fixture } from "./_fixture.node.ts";
import type { Json } from "./schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
  await storeModule(base, "echo");
  await base.run("create_operation", { name: "count", group: "shop", implemented_at: "echo:echo" });
  await base.run("create_operation", { name: "look", group: "bank", implemented_at: "echo:echo" });
  await base.run("create_job", { name: "plus_one", path: "/counters/:name", effect: "value + 1", operation: "count" });
  await base.run("create_job", { name: "twice", path: "/counters/:name", expand: [{ job: "plus_one" }] });
});
afterEach(() => base.close());

const holding = (...scopes: Scope[]): Principal => ({ id: "p", name: "p", scopes });
const AGENT = { name: "agent", jobs: ["plus_one"] };

describe("an agent's row", () => {
  test.each<[string, Json, string, string]>([
    ["a job that is not there", { jobs: ["none"] }, "/jobs/0", "must be registered"],
    ["a job twice", { jobs: ["plus_one", "plus_one"] }, "/jobs/1", "named twice"],
    ["a compound job without its parts", { jobs: ["twice"] }, "/jobs", "must include those that they are made of"],
    ["jobs that are not open to it", { scopes: ["ops:invoke:bank"] }, "/scopes", 'start "count"'],
    [
      "a sensor that is not open to it",
      { scopes: ["ops:invoke:shop"], sensors: [{ path: "/a", operation: "look" }] },
      "/scopes",
      'start "look"',
    ],
    [
      "a sensor that is not there",
      { sensors: [{ path: "/a", operation: "none" }] },
      "/sensors/0/operation",
      "registered",
    ],
    [
      "two sensors of one place",
      {
        sensors: [
          { path: "/a", operation: "look" },
          { path: "/a", operation: "count" },
        ],
      },
      "/sensors/1/path",
      "has two",
    ],
    ["waits that shrink", { retry: { initial_ms: 10, max_ms: 5 } }, "/retry/max_ms", "at least retry.initial_ms"],
  ])("is refused with %s", async (_what, fields, pointer, detail) => {
    await expect(base.run("create_agent", { ...AGENT, ...fields })).rejects.toMatchObject({
      code: "definition_invalid",
      message: expect.stringContaining(detail),
      errors: [{ pointer }],
    });
  });

  test("has no sensor at a place with parameters", async () => {
    const sensors = [{ path: "/counters/:name", operation: "look" }];
    await expect(base.run("create_agent", { ...AGENT, sensors })).rejects.toMatchObject({
      errors: [{ pointer: "/sensors/0/path" }],
    });
  });

  test("has rights within those of whoever writes it", async () => {
    const writer = holding("registry:write", "ops:invoke:shop");
    await expect(base.run("create_agent", AGENT, writer)).rejects.toMatchObject({ code: "forbidden" });
    await base.run("create_agent", { ...AGENT, scopes: ["ops:invoke:shop"] }, writer);
  });

  test("keeps what it uses from being deleted", async () => {
    await base.run("create_agent", { ...AGENT, sensors: [{ path: "/a", operation: "look" }] });
    await expect(base.run("delete_operation", { name: "look" })).rejects.toMatchObject({ code: "entity_in_use" });
    await expect(base.run("delete_job", { name: "plus_one" })).rejects.toMatchObject({ code: "entity_in_use" });
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import type * as v from "valibot";
import type { Scope } from "../../model/scope.ts";
import type { ArtifactView, ExecutionView } from "../../model/execution.ts";
import type { Principal } from "../../model/principal.ts";
import { fixture, storeModule, type Fixture } from "../_fixture.node.ts";
import type { WiredPorts } from "./execution-functions.ts";
import type { artifactOutput, executionOutput } from "./execution-schemas.ts";
import { runBuiltin } from "./run-builtin.ts";
import { IDLE_AGENTS } from "./_agents.test-util.ts";
import { COLD_SERVICES } from "./_services.test-util.ts";

const ID = "ex_0a_0123456789abcdefghjkmnpqr";
const SHA256 = "a".repeat(64);

const VIEW: ExecutionView = {
  id: ID,
  operation: "echo",
  revision: 3,
  digest: SHA256,
  mode: "async",
  status: "dead",
  trigger: "token",
  caller: { type: "token", id: "owner" },
  principal: "owner",
  traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
  environment: "inline",
  accepted_at: "2026-11-22T01:00:00.000Z",
  started_at: "2026-11-22T01:00:00.100Z",
  finished_at: "2026-11-22T01:00:01.000Z",
  next_attempt_at: null,
  kept_until: null,
  expires_at: null,
  attempt: 1,
  attempts: [
    {
      attempt: 1,
      environment: "inline",
      started_at: "2026-11-22T01:00:00.100Z",
      finished_at: "2026-11-22T01:00:01.000Z",
      end: "failed",
      error: {
        code: "output_invalid",
        detail: "no",
        hint: "yes",
        errors: [{ pointer: "/a", keyword: "type", detail: "must be" }],
      },
    },
  ],
  error: { code: "output_invalid", detail: "no" },
  output: { artifact_id: `ar_${ID.slice(3)}`, sha256: SHA256, size_bytes: 2 },
  parent: null,
  replay_of: null,
  replayed_by: [ID],
  steps: [{ operation: "echo", execution_id: ID, status: "succeeded" }],
};

const ARTIFACT: ArtifactView = {
  id: `ar_${ID.slice(3)}`,
  execution_id: ID,
  operation: "echo",
  kind: "output",
  name: "output.json",
  content_type: "application/json",
  size_bytes: 2,
  sha256: SHA256,
  created_at: "2026-11-22T01:00:01.000Z",
};

/** Each thing asked of the ports, in order. */
let asked: unknown[];
const ports: WiredPorts = {
  agents: IDLE_AGENTS,
  services: COLD_SERVICES,
  schedules: {
    summaries: async () => new Map(),
    history: async () => ({ items: [], next_cursor: null }),
    trigger: async () => "ex_1",
  },
  subscriptions: { test: async () => ({ executionId: ID, outcome: undefined }) },
  environments: {
    check: async ({ name, adapter, active }) => ({
      name,
      adapter,
      active,
      reachable: true,
      allowed: true,
      latency_ms: 1,
      missing: [],
      facts: {},
    }),
  },
  executions: {
    find: async (id) => (id === ID ? VIEW : undefined),
    list: async (query) => (asked.push(["list", query]), { items: [VIEW], next_cursor: "next" }),
    cancel: async (id) => (asked.push(["cancel", id]), VIEW),
    replay: async (id, options) => (asked.push(["replay", id, options]), "ex_new"),
  },
  webhooks: {
    find: async () => undefined,
    list: async () => ({ items: [], next_cursor: null }),
    replay: async () => undefined,
    test: async () => {
      throw new Error("nothing here tests webhooks");
    },
  },
  artifacts: {
    find: async (id) => (id === ARTIFACT.id ? ARTIFACT : undefined),
    list: async (query) => (asked.push(["artifacts", query]), { items: [ARTIFACT], next_cursor: null }),
  },
};

let base: Fixture;
beforeAll(async () => {
  base = await fixture({ builtins: true });
  await storeModule(base, "echo");
  for (const description of ["one", "two", "three"])
    await base.run("put_operation", { name: "echo", implemented_at: "echo:echo", description });
});
afterAll(() => base.close());
beforeEach(() => {
  asked = [];
});

const holding = (id: string, ...scopes: Scope[]): Principal => ({ id, name: id, scopes });
const READER = holding("reader", "ops:invoke", "registry:read");
const OWNER = holding("owner", "ops:invoke");

/** As POST /ops/NAME does it: input and output are held against the types of the operation's row. */
async function call(name: string, input: unknown, principal: Principal): Promise<unknown> {
  const { operation } = await base.registry.resolve(name);
  const checked = operation.input.check(input);
  if (!checked.ok) throw Object.assign(new Error(name), { code: "input_invalid", errors: checked.errors });
  const { output } = await runBuiltin(base.registry, name, checked.value, principal, ports);
  expect(operation.output.check(JSON.parse(JSON.stringify(output))), name).toMatchObject({ ok: true });
  return output;
}

test("the types say exactly what the views have", () => {
  type Execution = v.InferOutput<typeof executionOutput>;
  type Artifact = v.InferOutput<typeof artifactOutput>;
  expectTypeOf<Execution>().toExtend<ExecutionView>();
  expectTypeOf<keyof Execution>().toEqualTypeOf<keyof ExecutionView>();
  expectTypeOf<Artifact>().toEqualTypeOf<ArtifactView>();
});

describe("list_execution and list_artifact", () => {
  test.each<[string, unknown, unknown]>([
    ["list_execution", {}, ["list", { limit: 100 }]],
    ["list_execution", { operation: { op: "$eq", value: "echo" } }, ["list", { limit: 100, operation: "echo" }]],
    [
      "list_execution",
      {
        operation: "echo",
        status: "dead",
        trigger: { op: "$eq", value: "execution" },
        parent: ID,
        limit: 5,
        cursor: "x",
      },
      ["list", { operation: "echo", status: "dead", trigger: "execution", parent: ID, limit: 5, cursor: "x" }],
    ],
    [
      "list_execution",
      { since: "1970-01-01T00:00:01Z", until: 2_000 },
      ["list", { limit: 100, since: 1_000, until: 2_000 }],
    ],
    ["list_artifact", {}, ["artifacts", { limit: 100 }]],
    [
      "list_artifact",
      { execution: ID, operation: "echo", sha256: { op: "$eq", value: SHA256 }, limit: 1, cursor: "x" },
      ["artifacts", { execution: ID, operation: "echo", sha256: SHA256, limit: 1, cursor: "x" }],
    ],
  ])("%s %j asks for just that", async (name, input, query) => {
    expect(await call(name, input, READER)).toMatchObject({ items: [{ operation: "echo" }] });
    expect(asked).toEqual([query]);
  });

  test.each<[string, unknown]>([
    ["list_execution", { operation: { op: "$like", value: "e%" } }],
    ["list_execution", { status: "finished" }],
    ["list_execution", { since: "yesterday" }],
    ["list_execution", { limit: 1_001 }],
    ["list_execution", { surprise: 1 }],
    ["list_artifact", { sha256: "abc" }],
  ])("%s %j is refused", async (name, input) => {
    const refused = { code: "input_invalid" };
    await expect(runBuiltin(base.registry, name, input, READER, ports)).rejects.toMatchObject(refused);
    expect(asked).toEqual([]);
  });
});

describe("get_execution and get_artifact", () => {
  test("answer what is kept", async () => {
    expect(await call("get_execution", { id: ID }, READER)).toEqual(VIEW);
    expect(await call("get_artifact", { id: ARTIFACT.id }, READER)).toEqual(ARTIFACT);
  });

  test.each(["get_execution", "get_artifact", "cancel_execution", "replay_execution"])(
    "%s says what is not there",
    async (name) => {
      await expect(call(name, { id: "ex_none" }, READER)).rejects.toMatchObject({ code: "entity_not_found" });
    },
  );
});

describe("cancel_execution and replay_execution", () => {
  test.each([
    ["whoever started it", OWNER],
    ["whoever may write the registry", holding("writer", "ops:invoke", "registry:write")],
    ["an admin", holding("root", "admin")],
  ])("are for %s", async (_who, principal) => {
    expect(await call("cancel_execution", { id: ID }, principal)).toEqual(VIEW);
    expect(await call("replay_execution", { id: ID, revision: "latest" }, principal)).toEqual({
      execution_id: "ex_new",
    });
    const traceparent = expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) as string;
    expect(asked).toEqual([
      ["cancel", ID],
      ["replay", ID, { revision: "latest", principal, traceparent }],
    ]);
  });

  test("replay runs the revision of before unless told otherwise", async () => {
    await call("replay_execution", { id: ID }, OWNER);
    await call("replay_execution", { id: ID, revision: 2 }, OWNER);
    expect(asked).toMatchObject([
      ["replay", ID, { revision: "same" }],
      ["replay", ID, { revision: 2 }],
    ]);
  });

  test("replay refuses what could not be called now", async () => {
    await expect(call("replay_execution", { id: ID, revision: 9 }, OWNER)).rejects.toMatchObject({
      code: "operation_not_found",
    });
    await base.run("edit_operation", { name: "echo", patch: { active: false } });
    await expect(call("replay_execution", { id: ID }, OWNER)).rejects.toMatchObject({ code: "operation_inactive" });
    await base.run("edit_operation", { name: "echo", patch: { active: true } });
    expect(asked).toEqual([]);
  });

  test.each(["cancel_execution", "replay_execution"])("%s is refused to others, and does nothing", async (name) => {
    await expect(call(name, { id: ID }, READER)).rejects.toMatchObject({ code: "forbidden" });
    // Who may not even read it is not told that it is there.
    const stranger = holding("stranger", "ops:invoke");
    await expect(call(name, { id: ID }, stranger)).rejects.toMatchObject({ code: "entity_not_found" });
    expect(asked).toEqual([]);
  });
});

test("a duplicate asks for the same scope, and where there are no executions every one of them says so", async () => {
  await base.run("duplicate_operation", { name: "cancel_execution", patch: { name: "stop_it", group: "demo" } });
  const { implementation } = (await base.registry.resolve("stop_it")).operation;
  expect(implementation).toEqual({ kind: "builtin", function: "cancel_execution" });
  await expect(
    runBuiltin(base.registry, "cancel_execution", { id: ID }, holding("owner", "ops:invoke:demo"), ports),
  ).rejects.toMatchObject({ code: "forbidden" });
  for (const name of ["list_execution", "get_execution", "cancel_execution", "replay_execution", "list_artifact"]) {
    await expect(runBuiltin(base.registry, name, { id: ID }, holding("root", "admin"))).rejects.toMatchObject({
      code: "not_supported",
    });
  }
});

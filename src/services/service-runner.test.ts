import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { ServiceHost } from "../adapters/service-host.ts";
import type { Outcome } from "../model/outcome.ts";
import { ServiceSchema } from "../model/services.ts";
import type { LookAnswer, ServiceSettings, StepAnswer, StepOrder } from "./messages.ts";
import { askText, lookFor, passOn, stepText, type ServiceRunnerPorts } from "./service-runner.ts";

type Call = { name: string; principal: unknown; caller: unknown; input: unknown; key: string | undefined };

const REPORT = { replica: "r-1", service: "albums", status: "ready" };
const MACHINE = { name: "hot_cold", description: "", initial: "cold", states: {}, transitions: [] };

type Options = { fields?: object; isGone?: boolean; isAsync?: boolean; environment?: object | null };
const RUNNER = { adapter: "runner", active: true, config: {} };

/** Ports over an outcome for each operation; what was called is noted. */
function world(
  outcomes: Record<string, unknown>,
  { fields = {}, isGone = false, isAsync = false, environment = RUNNER }: Options = {},
) {
  const calls: Call[] = [];
  const stopped: StepOrder[] = [];
  const run = { process: { command: ["serve"] } };
  const row = { ...v.parse(ServiceSchema, { name: "albums", environment: "rack", run, ...fields }), digest: "d" };
  const operation = (name: string) => ({
    name,
    group: "registry",
    active: true,
    isAsync,
    batch: false,
    rateLimit: null,
    record: "none",
    timeoutMs: 1,
  });
  const rows: Record<string, unknown> = { state_machine: MACHINE, environment };
  const ports = {
    registry: {
      trigger: async () => (isGone ? undefined : row),
      triggersNamed: async () => (isGone ? [] : [row]),
      manifests: async (kind: string, [name]: string[]) =>
        new Map(rows[kind] === null ? [] : [[name, { manifest: rows[kind], revision: 4 }]]),
    },
    host: (adapter: string) =>
      adapter === "runner" ? ({ unit: "replica", runs: ["process"] } as unknown as ServiceHost) : undefined,
    stop: async (order: StepOrder) => void stopped.push(order),
    dispatch: {
      now: () => 0,
      registry: {
        resolve: async (name: string) => ({
          operation: {
            ...operation(name),
            input: ANY,
            output: ANY,
            environments: [],
            requires: {},
            implementation: { kind: "builtin", function: name },
          },
          stale: false,
        }),
      },
      recorder: { shard: 0, add: () => undefined },
      environments: { environment: async () => undefined, environments: async () => [] },
      health: { unhealthy: () => undefined, note: () => undefined },
      capability: async () => "",
      log: () => undefined,
      keeper: {
        keepAndWait: async (call: {
          operation: { name: string };
          input: { value: unknown };
          idempotencyKey: string | undefined;
          principal: unknown;
          caller: unknown;
        }) => {
          calls.push({
            name: call.operation.name,
            principal: call.principal,
            caller: call.caller,
            input: call.input.value,
            key: call.idempotencyKey,
          });
          return { kept: { id: "ex", repeated: false }, outcome: outcomeOf(outcomes[call.operation.name]) };
        },
      },
    },
  };
  return { ports: ports as unknown as ServiceRunnerPorts, calls, stopped, row };
}

const ANY = { schema: true, any: true, check: (value: unknown) => ({ ok: true, value, changed: false }) };

function outcomeOf(outcome: unknown): Outcome | undefined {
  if (outcome === undefined) return undefined;
  if (typeof outcome !== "string" || !outcome.startsWith("!"))
    return { ok: true, output: JSON.stringify(outcome), logs: [] };
  return {
    ok: false,
    error: { code: outcome.slice(1) as "timeout", detail: "it failed" },
    retry: { kind: "may" },
    logs: [],
  };
}

const START: StepOrder = {
  do: "start",
  service: "albums",
  environment: "rack",
  replica: "r-1",
  revision: "v",
  count: 1,
  place: null,
};

async function step(order: StepOrder, of: ReturnType<typeof world>): Promise<StepAnswer> {
  return JSON.parse(await stepText(JSON.stringify(order), of.ports)) as StepAnswer;
}

describe("a step", () => {
  test("enters at dispatch as the service itself, under a key of its own where the operation is asynchronous", async () => {
    const of = world({ start_album: REPORT }, { fields: { operations: { start: "start_album" } }, isAsync: true });
    expect(await step(START, of)).toMatchObject({
      kind: "started",
      report: { ...REPORT, count: 1, ready: 1, lines: [] },
    });
    expect(of.calls).toEqual([
      {
        name: "start_album",
        principal: { id: "service:albums", name: "service:albums", scopes: ["ops:invoke"] },
        caller: { type: "service", id: "albums" },
        input: { service: "albums", replica: "r-1", revision: "v", count: 1, place: "", environment: "rack" },
        key: "albums r-1 v 1",
      },
    ]);
  });

  test.each([
    ["!environment_unavailable", "environment_unavailable", true],
    ["!environment_throttled", "environment_throttled", true],
    ["!environment_forbids", "environment_forbids", false],
    ["!environment_misconfigured", "environment_misconfigured", false],
    ["!input_invalid", "input_invalid", false],
    [{ anything: 1 }, "output_invalid", false],
    [undefined, "timeout", true],
  ])("that comes to %j says whether asking again may help", async (outcome, code, again) => {
    const of = world({ start_replica: outcome }, { isAsync: true });
    expect(await step(START, of)).toMatchObject({ kind: "failed", error: { code }, again });
  });

  test("that stops one whose row is gone, or that only its runner knows, calls nobody for it", async () => {
    const of = world({}, { isGone: true });
    const stop: StepOrder = {
      do: "stop",
      service: "albums",
      environment: "rack",
      replica: "r-1",
      place: "desk",
      address: null,
      row: of.row,
    };
    expect(await step(stop, of)).toEqual({ kind: "stopped" });
    expect([of.stopped.length, of.calls.length]).toEqual([1, 0]);
    const stray = world({});
    expect(await step({ ...stop, isStray: true }, stray)).toEqual({ kind: "stopped" });
    expect([stray.stopped.length, stray.calls.length]).toEqual([1, 0]);
    expect(await step(START, of)).toMatchObject({ kind: "failed", error: { code: "entity_not_found" }, again: false });
  });
});

test.each([
  [true, { holds: true }],
  [false, { holds: false }],
  ["yes", { holds: false }],
  ["!timeout", { error: { code: "timeout", detail: "it failed" } }],
])("a requirement whose operation answers %j comes to %j", async (answer, asked) => {
  const of = world({ may_run: answer }, { isAsync: true });
  const text = JSON.stringify({ service: "albums", leaf: { operation: "may_run", input: {} } });
  expect(JSON.parse(await askText(text, of.ports))).toEqual(asked);
});

test.each([
  ["an environment that runs it", {}, "replica", null],
  ["no environment", { environment: null }, null, 'there is no environment "rack"'],
  [
    "one that is off",
    { environment: { adapter: "runner", active: false } },
    "replica",
    'the environment "rack" is switched off',
  ],
  [
    "one that runs none",
    { environment: { adapter: "lambda", active: true } },
    null,
    'the environment "rack" (lambda) runs no services',
  ],
  [
    "one that runs others",
    { fields: { run: { container: { image: "i" } } } },
    "replica",
    'the environment "rack" (runner) runs process, and this is container',
  ],
])("a look finds %s", async (_what, options, unit, problem) => {
  const { settings } = JSON.parse(await lookFor("albums", world({}, options).ports)) as LookAnswer & {
    settings: object;
  };
  expect(settings).toMatchObject({ unit, problem, machine: { initial: "cold" } });
});

const CLUSTER = { adapter: "runner", active: true, config: { cluster: "blue", slots: 1 } };
const setsOf: ServiceRunnerPorts["host"] = (adapter) =>
  ({ unit: "set", runs: ["process"], placedBy: adapter === "other" ? [] : ["cluster"] }) as unknown as ServiceHost;

async function siteIn(environment: object, fields: object = {}): Promise<string> {
  const { ports } = world({}, { environment, fields });
  const { settings } = JSON.parse(await lookFor("albums", { ...ports, host: setsOf })) as { settings: ServiceSettings };
  expect(settings.environmentRevision).toBe(4);
  return settings.site;
}

describe("a look finds the environment elsewhere", () => {
  test.each([
    ["a setting that says where", { ...CLUSTER, config: { cluster: "green", slots: 1 } }, {}],
    ["its adapter", { ...CLUSTER, adapter: "other" }, {}],
    ["its name", CLUSTER, { environment: "attic" }],
  ])("with %s", async (_what, environment, fields) => {
    expect(await siteIn(environment, fields)).not.toBe(await siteIn(CLUSTER));
  });

  test.each([
    ["any other setting", { ...CLUSTER, config: { cluster: "blue", slots: 9 } }],
    [
      "its description, capabilities and secrets",
      { ...CLUSTER, description: "d", capabilities: { gpu: true }, secrets: { token: "t" } },
    ],
    ["being switched off", { ...CLUSTER, active: false }],
  ])("not with %s", async (_what, environment) => {
    expect(await siteIn(environment)).toBe(await siteIn(CLUSTER));
  });
});

test("a look finds no row, or that nobody says", async () => {
  expect(JSON.parse(await lookFor("albums", world({}, { isGone: true }).ports))).toEqual({ settings: null });
  const silent = world({}).ports;
  const ports = {
    ...silent,
    registry: { ...silent.registry, triggersNamed: async () => Promise.reject(new Error("down")) },
  };
  expect(JSON.parse(await lookFor("albums", ports))).toMatchObject({ error: { code: "internal" } });
});

const replicaOf = (name: string, status = "ready") => ({
  ...REPORT,
  replica: name,
  place: "desk",
  address: null,
  status,
});
const pass = async (service: string, replicas: readonly object[]) => {
  const done: unknown[] = [];
  const ports = {
    registry: {
      trigger: async (_kind: string, name: string) => (name === "albums" ? {} : undefined),
      wasThere: async (_kind: string, name: string) => name === "deleted",
    },
    reported: async (name: string) => void done.push(name),
    stop: async ({ replica: name, isStray }: { replica: string; isStray: boolean }) => void done.push([name, isStray]),
  };
  const text = JSON.stringify({ environment: "rack", place: "desk", replicas, lost: null });
  await passOn(service, text, ports as unknown as ServiceRunnerPorts);
  return done;
};

describe("passOn()", () => {
  test("tells the object of what is a service, or was one", async () => {
    expect(await pass("albums", [replicaOf("r-1")])).toEqual(["albums"]);
    expect(await pass("deleted", [replicaOf("r-1")])).toEqual(["deleted"]);
  });

  test("makes none for a name that never was one, and has a few of what runs under it stopped", async () => {
    expect(await pass("made_up", [replicaOf("a"), replicaOf("b", "ended")])).toEqual([["a", true]]);
    const many = Array.from({ length: 500 }, (_, at) => replicaOf(`r-${at}`));
    expect(await pass("made_up", many)).toHaveLength(32);
  });
});

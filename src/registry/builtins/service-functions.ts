/**
 * The built-in functions over services: what they are at, what is wanted of them, and the steps that their controllers take. Their
 * objects live in a higher layer and come in as a port. Whoever deploys or stops a service borrows its rights: it must have them itself.
 */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import { NameSchema } from "../../model/names.ts";
import { allows, type Principal } from "../../model/principal.ts";
import { REPLICA_PHASES, REPLICA_STATUSES, VIAS } from "../../model/services.ts";
import { triggerPrincipalId, type TriggerHandle } from "../../model/triggers.ts";
import { directed, mayLook, rowOf } from "./directed.ts";
import type { WiredFunction } from "./execution-functions.ts";
import { parseInput } from "./parse-input.ts";

const nullableText = v.nullable(v.string());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const nameInput = v.strictObject({ name: NameSchema });
const scaleInput = v.strictObject({ name: NameSchema, replicas: v.pipe(count, v.maxValue(1_000)) });

const replicaView = v.strictObject({
  replica: v.string(),
  /** candidate: ready, and given no requests yet. */
  phase: v.picklist(REPLICA_PHASES),
  /** What it runs, shortened; the service's own `revision` is what is wanted. */
  revision: v.string(),
  /** The runner that has it. */
  place: v.string(),
  address: nullableText,
  since: v.string(),
  /** Requests that it has now. */
  requests: v.number(),
  cpu: v.nullable(v.number()),
  /** How many it is, and how many of those are ready: more than one only of a set. */
  count: v.number(),
  ready: v.number(),
  ended: nullableText,
  lines: v.array(v.string()),
});

/** What whoever directs a service is told of it, though they may not look at it: how far it is, and nothing that it says or runs on. */
const progressOutput = v.strictObject({
  name: v.string(),
  active: v.boolean(),
  state: v.string(),
  since: nullableText,
  /** What is wanted; and how many replicas are there that run another. */
  revision: v.string(),
  outdated: v.number(),
  /** How many replicas are wanted, and how many are ready. */
  wanted: v.number(),
  ready: v.number(),
  /** As many are ready as are wanted, and none comes or goes. */
  settled: v.boolean(),
  /** It does not get there by itself: somebody must mend what stands in its way. */
  stuck: v.boolean(),
});
export type ServiceProgressView = v.InferOutput<typeof progressOutput>;

const details = v.strictObject({
  state_machine: v.string(),
  /** Why it is in that state, a sentence each. */
  because: v.array(v.string()),
  replicas: v.array(replicaView),
  waiting: v.number(),
  /** What its requirements are held against; null: not known. */
  facts: v.record(v.string(), v.nullable(v.union([v.number(), v.boolean()]))),
  /** Ways out of the state: what would move it. `holds` null: not known. */
  next: v.array(
    v.strictObject({
      transition: v.string(),
      to: v.string(),
      holds: v.nullable(v.boolean()),
      because: v.array(v.string()),
      /** Held back by its cooldown until then. */
      not_before: nullableText,
    }),
  ),
  /** The steps from what there is to what is wanted, a sentence each. */
  plan: v.array(v.string()),
  /** Steps under way. */
  steps: v.array(v.strictObject({ step: v.string(), replica: v.string(), since: v.string() })),
  /** Starts that have failed in a row. `next_at`: when it tries again; null: at once. */
  crashes: v.strictObject({
    failures: v.number(),
    looping: v.boolean(),
    reason: nullableText,
    lines: v.array(v.string()),
    next_at: nullableText,
  }),
  exposures: v.array(
    v.strictObject({
      name: v.string(),
      protocol: v.string(),
      base_path: v.string(),
      via: v.picklist(VIAS),
      /** How requests reach it now, one sentence for each replica. */
      ways: v.array(v.string()),
    }),
  ),
  /** What somebody must mend before it can run. */
  problem: nullableText,
  events: v.array(v.strictObject({ seq: v.number(), at: v.string(), what: v.string() })),
});
const statusOutput = v.strictObject({ ...progressOutput.entries, ...details.entries });
export type ServiceStatusView = v.InferOutput<typeof statusOutput>;

/** With the details for who may look. */
const directedOutput = v.strictObject({ ...progressOutput.entries, ...v.partial(details).entries });
export type ServiceDirectedView = v.InferOutput<typeof directedOutput>;

/** Where it is, whatever the row says by now: a row that is edited leaves replicas behind. Empty: as the row says. */
const environment = v.optional(v.string(), "");

/** The steps of controllers. A team's own operations in their place take and answer the same. */
const startInput = v.strictObject({
  service: NameSchema,
  replica: v.string(),
  revision: v.string(),
  count: v.optional(count, 1),
  place: v.optional(v.string(), ""),
  environment,
});
const stopInput = v.strictObject({
  service: NameSchema,
  replica: v.string(),
  place: v.optional(v.string(), ""),
  address: v.optional(nullableText, null),
  environment,
});
const refSchema = v.strictObject({
  service: NameSchema,
  replica: v.string(),
  place: v.string(),
  address: nullableText,
});
const observeInput = v.strictObject({ service: NameSchema, replicas: v.optional(v.array(refSchema), []), environment });
export const reportOutput = v.strictObject({
  replica: v.string(),
  service: v.string(),
  revision: v.optional(v.string(), ""),
  place: v.optional(v.string(), ""),
  status: v.picklist(REPLICA_STATUSES),
  address: v.optional(nullableText, null),
  cpu: v.optional(v.nullable(v.number()), null),
  count: v.optional(v.number(), 1),
  ready: v.optional(v.number(), 1),
  ended: v.optional(nullableText, null),
  lines: v.optional(v.array(v.string()), []),
});
export type ReplicaReportView = v.InferOutput<typeof reportOutput>;
export const observeOutput = v.strictObject({ replicas: v.array(reportOutput) });

type Row = TriggerHandle<"service">;

export type ServicePorts = {
  services: {
    status(row: Row): Promise<ServiceStatusView>;
    command(
      row: Row,
      /** `by`: the name of who wants it. */
      command: { by: string } & ({ do: "deploy" | "undeploy" | "restart" } | { do: "scale"; replicas: number }),
    ): Promise<ServiceStatusView>;
    start(row: Row, step: v.InferOutput<typeof startInput>): Promise<ReplicaReportView>;
    stop(row: Row, step: v.InferOutput<typeof stopInput>): Promise<void>;
    observe(row: Row, step: v.InferOutput<typeof observeInput>): Promise<readonly ReplicaReportView[]>;
  };
};

type Registry = Parameters<WiredFunction["run"]>[1]["registry"];

const COMMANDS = [
  ["deploy_service", "deploy", "Makes a service hot now, as if a request waited for it."],
  [
    "undeploy_service",
    "undeploy",
    "Stops a service once its requests have ended; the next request makes it hot again.",
  ],
  ["restart_service", "restart", "Replaces each replica of a service, one after another, without a failed request."],
] as const;

export const SERVICE_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "observe_service",
    description: "What a service is at: its state and why, its replicas, how it is reached, and what would move it.",
    scope: "registry:read",
    input: () => nameInput,
    output: () => statusOutput,
    async run(name, { input, ports, registry }) {
      const { name: service } = parseInput(nameInput, input, name);
      return ports.services.status(await rowOf("service", service, registry));
    },
  },
  {
    name: "observe_service_progress",
    description: "How far a service is with what is wanted of it, for whoever may direct it.",
    scope: "ops:invoke",
    input: () => nameInput,
    output: () => progressOutput,
    async run(name, { input, principal, ports, registry }) {
      const { name: service } = parseInput(nameInput, input, name);
      return progressOf(await ports.services.status(await directed("service", service, { principal, registry })));
    },
  },
  ...COMMANDS.map(([name, command, description]): WiredFunction => ({
    name,
    description,
    scope: "ops:invoke",
    input: () => nameInput,
    output: () => directedOutput,
    async run(_name, { input, principal, ports, registry }) {
      const { name: service } = parseInput(nameInput, input, name);
      const row = await directed("service", service, { principal, registry });
      return shownTo(principal, await ports.services.command(row, { do: command, by: principal.name }));
    },
  })),
  {
    name: "scale_service",
    description:
      "Sets how many replicas a service has, in a state that leaves that open and within the service's bounds.",
    scope: "ops:invoke",
    input: () => scaleInput,
    output: () => directedOutput,
    async run(name, { input, principal, ports, registry }) {
      const { name: service, replicas } = parseInput(scaleInput, input, name);
      const row = await directed("service", service, { principal, registry });
      return shownTo(principal, await ports.services.command(row, { do: "scale", replicas, by: principal.name }));
    },
  },
  {
    name: "start_replica",
    description: "A controller's step: starts one replica of a service and answers once it is ready, or has ended.",
    scope: "ops:invoke",
    input: () => startInput,
    output: () => reportOutput,
    async run(name, { input, principal, ports, registry }) {
      const step = parseInput(startInput, input, name);
      const row = await directed("service", step.service, { principal, registry });
      return reportTo(principal, row)(await ports.services.start(row, step));
    },
  },
  {
    name: "stop_replica",
    description: "A controller's step: stops one replica of a service and answers once it is gone.",
    scope: "ops:invoke",
    input: () => stopInput,
    output: () => v.null(),
    async run(name, { input, principal, ports, registry }) {
      const step = parseInput(stopInput, input, name);
      await ports.services.stop(await stopping(step.service, principal, registry), step);
      return null;
    },
  },
  {
    name: "probe_replicas",
    description: "A controller's look: the replicas of a service that there are, as the place that runs them says.",
    scope: "ops:invoke",
    input: () => observeInput,
    output: () => observeOutput,
    async run(name, { input, principal, ports, registry }) {
      const step = parseInput(observeInput, input, name);
      const row = await directed("service", step.service, { principal, registry });
      const reports = await ports.services.observe(row, step);
      return { replicas: reports.map(reportTo(principal, row)) };
    },
  },
];

function shownTo(principal: Principal, status: ServiceStatusView): ServiceDirectedView {
  return mayLook(principal) ? status : progressOf(status);
}

function progressOf(status: ServiceStatusView): ServiceProgressView {
  const { name, active, state, since, revision, outdated, wanted, ready, settled, stuck } = status;
  return { name, active, state, since, revision, outdated, wanted, ready, settled, stuck };
}

/** What a replica says is for its controller, and for who may look. */
function reportTo(principal: Principal, { name }: Row): (report: ReplicaReportView) => ReplicaReportView {
  const isForIt = principal.id === triggerPrincipalId("service", name) || mayLook(principal);
  return (report) => (isForIt ? report : { ...report, address: null, ended: null, lines: [] });
}

/**
 * What is stopped may be one that its controller does not know, so nobody can say whether it is this service's: it is for the service
 * itself, and for who may do all.
 */
async function stopping(name: string, principal: Principal, registry: Registry): Promise<Row> {
  const row = await rowOf("service", name, registry);
  if (principal.id === triggerPrincipalId("service", name) || allows(principal, "admin")) return row;
  throw new SwitchyardError(
    "forbidden",
    `Cannot stop a replica of the service "${name}": that is for the service itself; "${principal.name}" is another`,
    { hint: `opctl service undeploy ${name}, restart or scale` },
  );
}

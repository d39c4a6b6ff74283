/**
 * The built-in functions over agents: what they are at, and what is wanted of them. Their objects live in a higher layer and
 * come in as a port. Whoever sets an agent a target, or tells it what is, borrows its rights: it must have them itself.
 */
import * as v from "valibot";
import { AGENT_PHASES, STEP_STATUSES } from "../../model/agent-states.ts";
import { NameSchema } from "../../model/names.ts";
import type { Principal } from "../../model/principal.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import { directed, mayLook, rowOf } from "./directed.ts";
import type { WiredFunction } from "./execution-functions.ts";
import { parseInput } from "./parse-input.ts";

const PointerSchema = v.pipe(
  v.string(),
  v.maxLength(1_000),
  v.regex(/^(?:|\/|(?:\/[^/]+)+)$/, "must be a place in the state, such as /counters/a"),
);
const nullableText = v.nullable(v.string());
const failure = v.looseObject({ code: v.string(), detail: v.string() });
const errorSchema = v.nullable(failure);

const nameInput = v.strictObject({ name: NameSchema });
/** `trace`: with what was tried, as lines of a tree. */
const planInput = v.strictObject({ name: NameSchema, target: v.unknown(), trace: v.optional(v.boolean(), false) });
const seekInput = v.strictObject({ name: NameSchema, target: v.unknown(), cancel: v.optional(v.boolean(), false) });
const stopInput = v.strictObject({ name: NameSchema, cancel: v.optional(v.boolean(), false) });
/** Without a value: nothing is there. */
const senseInput = v.strictObject({ name: NameSchema, path: PointerSchema, value: v.optional(v.unknown()) });

const plannedStep = v.strictObject({
  id: v.number(),
  job: v.string(),
  path: v.string(),
  params: v.record(v.string(), v.string()),
  description: v.string(),
  needs: v.array(v.number()),
  of: v.array(v.string()),
});
const unmetSchema = v.array(
  v.strictObject({ path: v.string(), wanted: v.optional(v.unknown()), is: v.optional(v.unknown()) }),
);
const planOutput = v.strictObject({
  reached: v.boolean(),
  steps: v.array(plannedStep),
  /** Steps on the longest way through. */
  makespan: v.number(),
  unmet: unmetSchema,
  /** Which limit ended the search. */
  bound: nullableText,
  notes: v.array(v.string()),
  sentences: v.array(v.string()),
  mermaid: v.string(),
  decisions: v.exactOptional(v.array(v.string())),
});
export type AgentPlanView = v.InferOutput<typeof planOutput>;

/** What whoever directs an agent is told of it, though they may not look at it: how far it is, and nothing that it knows. */
const progressOutput = v.strictObject({
  name: v.string(),
  active: v.boolean(),
  phase: v.picklist(AGENT_PHASES),
  since: nullableText,
  /** When it tries again by itself. */
  next_at: nullableText,
  /** How often a target was set. */
  seek: v.number(),
  failures: v.number(),
  /** The seq of the last event. */
  event: v.number(),
});

const details = v.strictObject({
  reason: nullableText,
  /** null: none was set. */
  target: v.unknown(),
  state: v.unknown(),
  unmet: unmetSchema,
  /** Of the sensors that were read last: why one told nothing. */
  sensor_error: v.exactOptional(failure),
  plan: v.nullable(
    v.strictObject({
      number: v.number(),
      steps: v.array(
        v.strictObject({
          ...plannedStep.entries,
          status: v.picklist(STEP_STATUSES),
          execution_id: nullableText,
          started_at: nullableText,
          ended_at: nullableText,
          error: errorSchema,
        }),
      ),
    }),
  ),
});
const statusOutput = v.strictObject({ ...progressOutput.entries, ...details.entries });
export type AgentStatusView = v.InferOutput<typeof statusOutput>;

/** With the details for who may look. */
const directedOutput = v.strictObject({ ...progressOutput.entries, ...v.partial(details).entries });
export type AgentDirectedView = v.InferOutput<typeof directedOutput>;

/** `active` false: nothing is started for it until the row says otherwise. */
const seekOutput = v.strictObject({ name: v.string(), seek: v.number(), event: v.number(), active: v.boolean() });
export type AgentSeekView = v.InferOutput<typeof seekOutput>;

type Row = TriggerHandle<"agent">;

export type AgentPorts = {
  agents: {
    /** Throws plan_failed. */
    plan(row: Row, options: { target: unknown; trace: boolean }): Promise<AgentPlanView>;
    seek(row: Row, options: { target: unknown; cancel: boolean }): Promise<AgentSeekView>;
    stop(row: Row, options: { cancel: boolean }): Promise<AgentStatusView>;
    sense(row: Row, seen: { path: string; value?: unknown }): Promise<AgentStatusView>;
    status(row: Row): Promise<AgentStatusView>;
  };
};

export const AGENT_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "plan_agent",
    description: "How an agent would get from its state to a target. Starts nothing.",
    scope: "registry:read",
    input: () => planInput,
    output: () => planOutput,
    async run(name, { input, ports, registry }) {
      const { name: agent, target, trace } = parseInput(planInput, input, name);
      return ports.agents.plan(await rowOf("agent", agent, registry), { target, trace });
    },
  },
  {
    name: "agent_status",
    description: "What an agent knows, wants and does: its state, target, phase, and the steps of its plan.",
    scope: "registry:read",
    input: () => nameInput,
    output: () => statusOutput,
    async run(name, { input, ports, registry }) {
      const { name: agent } = parseInput(nameInput, input, name);
      return ports.agents.status(await rowOf("agent", agent, registry));
    },
  },
  {
    name: "seek_agent",
    description:
      "Sets an agent a target, in place of the one before; it plans, acts and plans again until it is there.",
    scope: "ops:invoke",
    input: () => seekInput,
    output: () => seekOutput,
    async run(name, { input, principal, ports, registry }) {
      const { name: agent, target, cancel } = parseInput(seekInput, input, name);
      return ports.agents.seek(await directed("agent", agent, { principal, registry }), { target, cancel });
    },
  },
  {
    name: "stop_agent",
    description: "Lets an agent start nothing more until it is set a target again.",
    scope: "ops:invoke",
    input: () => stopInput,
    output: () => directedOutput,
    async run(name, { input, principal, ports, registry }) {
      const { name: agent, cancel } = parseInput(stopInput, input, name);
      const row = await directed("agent", agent, { principal, registry });
      return shownTo(principal, await ports.agents.stop(row, { cancel }));
    },
  },
  {
    name: "sense_agent",
    description: "Tells an agent what is at a place of its state; without a value, that nothing is there.",
    scope: "ops:invoke",
    input: () => senseInput,
    output: () => directedOutput,
    async run(name, { input, principal, ports, registry }) {
      const { name: agent, path, value } = parseInput(senseInput, input, name);
      const row = await directed("agent", agent, { principal, registry });
      return shownTo(principal, await ports.agents.sense(row, value === undefined ? { path } : { path, value }));
    },
  },
];

function shownTo(principal: Principal, status: AgentStatusView): AgentDirectedView {
  if (mayLook(principal)) return status;
  const { name, active, phase, since, next_at, seek, failures, event } = status;
  return { name, active, phase, since, next_at, seek, failures, event };
}

/**
 * State machines as rows: states with the facts that they want, transitions, and the requirements that gate each. What drives
 * a service through one is no part of this; here is what may be written down, and what each fact can be.
 */
import * as v from "valibot";
import { JsonObjectSchema } from "./implementations.ts";
import { NameSchema } from "./names.ts";

/**
 * What can be known of a service. `integer` and `number` are never below `least` nor above `most`. `time_of_day` is minutes
 * since midnight in the requirement's time zone, written HH:MM.
 */
export const FACTS = {
  /** Requests that wait for it. */
  waiting: { type: "integer", least: 0, most: Number.POSITIVE_INFINITY },
  /** Since the last request ended; 0 while one is under way. */
  idle_seconds: { type: "number", least: 0, most: Number.POSITIVE_INFINITY },
  /** Over the last ten seconds. */
  requests_per_second: { type: "number", least: 0, most: Number.POSITIVE_INFINITY },
  /** That run now. */
  replicas: { type: "integer", least: 0, most: Number.POSITIVE_INFINITY },
  /** Whether one of them at least answers its health check. */
  healthy: { type: "boolean" },
  /** Whether its newest revision is another than the one that serves; false while none does. */
  new_revision: { type: "boolean" },
  /** Whether one of the new revision runs beside those that serve, and answers its health check. */
  candidate_healthy: { type: "boolean" },
  /** Of what its replicas may use, 0 to 1. */
  cpu: { type: "number", least: 0, most: 1 },
  /** Since it came into its state. */
  seconds_in_state: { type: "number", least: 0, most: Number.POSITIVE_INFINITY },
  time_of_day: { type: "time", least: 0, most: 1440 },
} as const satisfies Record<string, { type: string; least?: number; most?: number }>;
export type Fact = keyof typeof FACTS;

/** What a state says of revisions; see its field. */
export const REVISIONS = ["newest", "kept", "both"] as const;

export const COMPARISONS = ["=", "!=", "<", "<=", ">", ">="] as const;
export type Comparison = (typeof COMPARISONS)[number];

const TIME = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/;
const TimeSchema = v.pipe(v.string(), v.regex(TIME, "must be a time such as 08:30"));
const FACT_NAMES = Object.keys(FACTS) as [Fact, ...Fact[]];

const ComparisonSchema = v.strictObject({
  fact: v.picklist(FACT_NAMES),
  op: v.picklist(COMPARISONS),
  value: v.union([
    v.boolean(),
    v.pipe(v.number(), v.finite()),
    v.pipe(v.string(), v.regex(TIME, "must be a number, true, false, or of time_of_day a time such as 08:30")),
  ]),
});

const BetweenSchema = v.strictObject({
  fact: v.literal("time_of_day"),
  /** From the first until before the second; over midnight where the second is the earlier. */
  between: v.tuple([TimeSchema, TimeSchema]),
  time_zone: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64)), "UTC"),
});

/** An operation's answer; it must be true. Nothing is known of it beforehand. */
const OperationRequirementSchema = v.strictObject({
  operation: NameSchema,
  input: v.optional(JsonObjectSchema, {}),
});

/** JSONata over all facts; it must be true. Nothing is known of it beforehand. */
const ExpressionRequirementSchema = v.strictObject({
  expression: v.pipe(v.string(), v.minLength(1), v.maxLength(10_000)),
});

export type Leaf =
  | v.InferOutput<typeof ComparisonSchema>
  | v.InferOutput<typeof BetweenSchema>
  | v.InferOutput<typeof OperationRequirementSchema>
  | v.InferOutput<typeof ExpressionRequirementSchema>;
export type Requirement = Leaf | { all: Requirement[] } | { any: Requirement[] } | { not: Requirement };

const JOINED = {
  all: v.strictObject({ all: v.pipe(v.array(v.lazy(requirementSchema)), v.maxLength(32)) }),
  any: v.strictObject({ any: v.pipe(v.array(v.lazy(requirementSchema)), v.minLength(1), v.maxLength(32)) }),
  not: v.strictObject({ not: v.lazy(requirementSchema) }),
};
const ANY_REQUIREMENT: v.GenericSchema<unknown, Requirement> = v.union(
  [ComparisonSchema, BetweenSchema, OperationRequirementSchema, ExpressionRequirementSchema, ...Object.values(JOINED)],
  "must be an object with fact, operation, expression, all, any or not",
);

/** By what it has: what is wrong is then said of the form that was meant, and not of all of them together. */
function requirementSchema(input: unknown): v.GenericSchema<unknown, Requirement> {
  if (typeof input !== "object" || input === null) return ANY_REQUIREMENT;
  if ("fact" in input) return "between" in input ? BetweenSchema : ComparisonSchema;
  if ("operation" in input) return OperationRequirementSchema;
  if ("expression" in input) return ExpressionRequirementSchema;
  if ("all" in input) return JOINED.all;
  if ("any" in input) return JOINED.any;
  return "not" in input ? JOINED.not : ANY_REQUIREMENT;
}

export const RequirementSchema: v.GenericSchema<unknown, Requirement> = v.lazy(requirementSchema);

const StateSchema = v.strictObject({
  description: v.optional(v.pipe(v.string(), v.maxLength(4000)), ""),
  /** What is to be so in this state. null: as many as there are. */
  replicas: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_000))), null),
  /**
   * newest: replicas of other revisions are replaced, one after another. kept: what serves goes on as it is. both: as kept, and
   * one replica of the newest runs beside it and gets no requests.
   */
  revision: v.optional(v.picklist(REVISIONS), "newest"),
});

const TransitionSchema = v.strictObject({
  name: NameSchema,
  from: NameSchema,
  to: NameSchema,
  when: RequirementSchema,
  /** Added to the replicas, within the service's own bounds; only for a transition to the same state. */
  scale_by: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(-1_000), v.maxValue(1_000))), null),
  /** Not again before so many seconds. */
  cooldown_s: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(86_400)), 0),
});

export const StateMachineSchema = v.strictObject({
  name: NameSchema,
  description: v.optional(v.pipe(v.string(), v.maxLength(4000)), ""),
  initial: NameSchema,
  states: v.record(NameSchema, StateSchema),
  transitions: v.pipe(v.array(TransitionSchema), v.maxLength(256)),
});
export type StateMachine = v.InferOutput<typeof StateMachineSchema>;
export type Transition = v.InferOutput<typeof TransitionSchema>;

/**
 * What the planner works with, as rows. A **job** says what can be done to a part of the state, and which operation does it;
 * an **agent** has a state, knows jobs, and works towards a target. Expressions are JSONata
 * over `{value, target, params, path, reads}`; `reads` has a member for each pointer that the row names there.
 */
import * as v from "valibot";
import { utf8Length } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import { NameSchema } from "./names.ts";
import { ScopeSchema } from "./scope.ts";

function integer(least: number, most: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
}

const ExpressionSchema = v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(10_000))), null);
/** `/counters/:name`; a part that begins with a colon is a parameter, and in `reads` a part `*` stands for all there. */
const PathSchema = v.pipe(
  v.string(),
  v.maxLength(1_000),
  v.regex(/^(?:\/|(?:\/[^/]+)+)$/, "must be / or parts such as /counters/:name"),
);
const description = v.optional(v.pipe(v.string(), v.maxLength(4000)), "");

export const JOB_CHANGES = ["create", "update", "delete", "any", "initialise", "wildcard"] as const;

const ReferenceSchema = v.strictObject({
  job: NameSchema,
  /** The compound job's own if left out. */
  path: v.optional(PathSchema),
  /** What the target wants at that path if left out. */
  target: v.optional(v.unknown()),
});

export const JobSchema = v.strictObject({
  name: NameSchema,
  description,
  path: PathSchema,
  /** What it is for: see docs/planner.md. */
  change: v.optional(v.picklist(JOB_CHANGES), "update"),
  /** What it looks at beside its own path. */
  reads: v.optional(v.pipe(v.array(PathSchema), v.maxLength(32)), []),
  /** Must be true. null: always. */
  when: ExpressionSchema,
  /** What the value at its path becomes. null: as the target wants it, and what the target does not name stays. */
  effect: ExpressionSchema,
  /** A compound job: the jobs it is made of, as a list or as an expression that answers one. */
  expand: v.optional(
    v.nullable(
      v.union([
        v.pipe(v.string(), v.minLength(1), v.maxLength(10_000)),
        v.pipe(v.array(ReferenceSchema), v.minLength(1), v.maxLength(256)),
      ]),
    ),
    null,
  ),
  /** Whether the jobs it is made of wait for each other though they touch different parts. */
  order: v.optional(v.picklist(["parallel", "ordered"]), "parallel"),
  /** What does it. null: nothing but the state changes. */
  operation: v.optional(v.nullable(NameSchema), null),
  /** The operation's input. null: {path, params, value, target}. */
  input: ExpressionSchema,
  /** A step for people, with parameters in braces: `{name} + 1`. null: its name and path. */
  sentence: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(500))), null),
});
export type JobRow = v.InferOutput<typeof JobSchema>;

/** Reads a part of the state: an operation whose output is the value at the path. */
const SensorSchema = v.strictObject({
  /** Within the state; no parameters. */
  path: v.pipe(
    PathSchema,
    v.check((path) => !/\/[:*]/.test(path), "must be a place in the state, without parameters"),
  ),
  operation: NameSchema,
  /** Given to the operation as it is. */
  input: v.optional(v.unknown(), {}),
  /** null: read before each plan and no other time. Milliseconds. */
  every_ms: v.optional(v.nullable(integer(1_000, 31 * 24 * 60 * 60_000)), null),
});
export type SensorRow = v.InferOutput<typeof SensorSchema>;

const RetrySchema = v.strictObject({
  initial_ms: v.optional(integer(1, 24 * 60 * 60_000), 1_000),
  max_ms: v.optional(integer(1, 24 * 60 * 60_000), 5 * 60_000),
  /** Failures in a row after which it gives up. */
  max_failures: v.optional(integer(1, 1_000), 10),
});
export type AgentRetry = v.InferOutput<typeof RetrySchema>;

export const AgentSchema = v.strictObject({
  name: NameSchema,
  description,
  active: v.optional(v.boolean(), true),
  /** In order of preference; compound jobs come first in any case. */
  jobs: v.pipe(v.array(NameSchema), v.minLength(1), v.maxLength(256)),
  /** What it knows when it begins. */
  initial: v.optional(
    v.pipe(
      v.unknown(),
      v.check(
        (initial) => utf8Length(JSON.stringify(initial) ?? "") <= LIMITS.agentStateBytes,
        `must have at most ${LIMITS.agentStateBytes} bytes as JSON`,
      ),
    ),
    {},
  ),
  /** What its executions may do. */
  scopes: v.optional(v.pipe(v.array(ScopeSchema), v.minLength(1), v.maxLength(32)), ["ops:invoke"]),
  /** How it learns what the state is. Others tell it by sense_agent. */
  sensors: v.optional(v.pipe(v.array(SensorSchema), v.maxLength(64)), []),
  /** After a step that failed it waits, twice as long each time, and plans again from the state as it is. */
  retry: v.optional(RetrySchema, { initial_ms: 1_000, max_ms: 5 * 60_000, max_failures: 10 }),
  /** How much the search may try, and how many steps a plan may have. */
  limits: v.optional(
    v.strictObject({ tries: v.optional(integer(1, 1_000_000), 50_000), steps: v.optional(integer(1, 10_000), 1_000) }),
    {
      tries: 50_000,
      steps: 1_000,
    },
  ),
});
export type AgentRow = v.InferOutput<typeof AgentSchema>;

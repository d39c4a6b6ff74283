/** The inputs and outputs of the built-in functions over executions and artifacts, as model/execution.ts has them. */
import * as v from "valibot";
import type { ErrorCode } from "../../core/errors.ts";
import { EXECUTION_STATUSES } from "../../model/execution-states.ts";
import { NameSchema } from "../../model/names.ts";
import { CALLER_TYPES } from "../../model/principal.ts";
import { LimitSchema, NO_NUL, pageOutput } from "./schemas.ts";

/** What is no id finds nothing: the objects that keep executions decide what one looks like. */
const IdSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(64), NO_NUL);
/** A place in each of many objects, so longer than that of one table. */
const CursorSchema = v.optional(v.pipe(v.string(), v.maxLength(4_000), NO_NUL));
/** RFC 3339, as it is answered, or milliseconds since the epoch. */
export const TimeSchema = v.union([
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8_640_000_000_000_000)),
  v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.check((text) => !Number.isNaN(Date.parse(text)), "must be a time that exists, such as 2030-01-31T00:00:00Z"),
  ),
]);

/** As in the lists of the registry, but only for equality: it is what the objects have an index for. */
function exactly<T extends v.GenericSchema<string>>(value: T) {
  return v.optional(v.union([value, v.strictObject({ op: v.literal("$eq"), value })]));
}

export const listExecutionInput = v.strictObject({
  operation: exactly(NameSchema),
  status: exactly(v.picklist(EXECUTION_STATUSES)),
  trigger: exactly(v.picklist(CALLER_TYPES)),
  parent: exactly(IdSchema),
  /** Bounds of accepted_at. */
  since: v.optional(TimeSchema),
  until: v.optional(TimeSchema),
  limit: LimitSchema,
  cursor: CursorSchema,
});

export const listArtifactInput = v.strictObject({
  execution: exactly(IdSchema),
  operation: exactly(NameSchema),
  sha256: exactly(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in lower-case hex"))),
  limit: LimitSchema,
  cursor: CursorSchema,
});

export const idInput = v.strictObject({ id: IdSchema });

/** Without a revision: the one it ran with. */
export const replayInput = v.strictObject({
  id: IdSchema,
  revision: v.optional(v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.literal("latest")])),
});
export const replayOutput = v.strictObject({ execution_id: v.string() });

const nullableText = v.nullable(v.string());
const StatusSchema = v.picklist(EXECUTION_STATUSES);

/** The table of codes is long, and grows: as text it does not make every type of the platform long with it. */
const CodeSchema = v.string() as unknown as v.GenericSchema<string, ErrorCode>;

const ErrorSchema = v.strictObject({
  code: CodeSchema,
  detail: v.string(),
  hint: v.exactOptional(v.string()),
  errors: v.exactOptional(v.array(v.strictObject({ pointer: v.string(), keyword: v.string(), detail: v.string() }))),
  after_ms: v.exactOptional(v.number()),
});

const AttemptSchema = v.strictObject({
  attempt: v.number(),
  environment: nullableText,
  started_at: v.string(),
  finished_at: v.string(),
  end: v.picklist(["succeeded", "failed", "lost", "interrupted"]),
  error: v.nullable(ErrorSchema),
  passed_over: v.exactOptional(
    v.pipe(v.array(v.strictObject({ environment: v.string(), code: CodeSchema, reason: v.string() })), v.readonly()),
  ),
});

export const executionOutput = v.strictObject({
  id: v.string(),
  operation: v.string(),
  revision: v.number(),
  digest: v.string(),
  mode: v.picklist(["sync", "async"]),
  status: StatusSchema,
  trigger: v.picklist(CALLER_TYPES),
  caller: v.strictObject({ type: v.picklist(CALLER_TYPES), id: v.string() }),
  principal: v.string(),
  traceparent: v.string(),
  environment: nullableText,
  accepted_at: v.string(),
  started_at: nullableText,
  finished_at: nullableText,
  next_attempt_at: nullableText,
  kept_until: nullableText,
  expires_at: nullableText,
  attempt: v.number(),
  attempts: v.array(AttemptSchema),
  error: v.nullable(ErrorSchema),
  output: v.nullable(v.strictObject({ artifact_id: v.string(), sha256: v.string(), size_bytes: v.number() })),
  parent: nullableText,
  replay_of: nullableText,
  replayed_by: v.array(v.string()),
  steps: v.array(v.strictObject({ operation: v.string(), execution_id: v.string(), status: StatusSchema })),
});

export const artifactOutput = v.strictObject({
  id: v.string(),
  execution_id: v.string(),
  operation: v.string(),
  kind: v.picklist(["output", "file"]),
  name: v.string(),
  content_type: v.string(),
  size_bytes: v.number(),
  sha256: v.string(),
  created_at: v.string(),
});

export const executionPage = pageOutput(executionOutput);
export const artifactPage = pageOutput(artifactOutput);

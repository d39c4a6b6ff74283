/**
 * What a user writes for each kind of registry entry: its manifest. The registry stores a manifest with all defaults
 * filled in; what it adds (revision, digest, what names resolved to) is in `view.ts`.
 */
import * as v from "valibot";
import { LIMITS } from "../core/limits.ts";
import type { RetryPolicy } from "./execution.ts";
import { AgentSchema, JobSchema } from "./agents.ts";
import { CapabilitiesSchema, ExternalSchema, JsonObjectSchema } from "./implementations.ts";
import { NameSchema } from "./names.ts";
import { RateLimitSchema } from "./rate-limit.ts";
import { ScopeSchema, type Scope } from "./scope.ts";
import { ExposureSchema, ProvidedBySchema, ServiceSchema } from "./services.ts";
import { StateMachineSchema } from "./state-machines.ts";
import { ScheduleSchema, SubscriptionSchema, WebhookSchema } from "./triggers.ts";

/** A type's name, an inline definition (stored under its `name` if it has one), or null: taken from the code. */
export const TypeReferenceSchema = v.nullable(v.union([NameSchema, v.boolean(), JsonObjectSchema]));
export type TypeReference = v.InferOutput<typeof TypeReferenceSchema>;

const description = v.optional(v.pipe(v.string(), v.maxLength(4000)), "");
const group = v.optional(NameSchema, "default");

/** `hostname` or `hostname:port`, exact; the default ports are 443 and 80. No wildcards, no addresses in brackets. */
const HostSchema = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.regex(
    /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$/,
    "must be a host name, with a :port where it is not 80 or 443",
  ),
);

export const DEFAULT_RETRY: RetryPolicy = { max_attempts: 4, initial_ms: 200, max_ms: 30_000 };
const DAY_MS = 24 * 60 * 60_000;

function integer(least: number, most: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
}

const MODULE_EXPORT = /^[a-z][a-z0-9_.-]{0,127}:[A-Za-z_$][A-Za-z0-9_$]{0,127}$/;

const hint = v.optional(v.nullable(v.boolean()), null);

/** Hints for agents and those who watch them (MCP calls them tool annotations). They promise; nothing enforces them. */
const AnnotationsSchema = v.strictObject({
  /** What people are shown in place of the name. */
  title: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(200))), null),
  /** It changes nothing. */
  read_only: hint,
  /** It may undo or overwrite, not only add. */
  destructive: hint,
  /** Done twice with the same input, it has no further effect. */
  idempotent: hint,
  /** It deals with things outside: the web, other people. */
  open_world: hint,
});
export type Annotations = v.InferOutput<typeof AnnotationsSchema>;

const ExampleSchema = v.strictObject({
  summary: v.optional(v.pipe(v.string(), v.maxLength(200))),
  input: v.unknown(),
  output: v.optional(v.unknown()),
});
export type Example = v.InferOutput<typeof ExampleSchema>;

export const OperationSchema = v.strictObject({
  name: NameSchema,
  description,
  group,
  active: v.optional(v.boolean(), true),
  /**
   * `module:export`, resolved to the hash of the module's newest code when the row is written; or something that the team
   * already has. Null where a service provides it: one of the two.
   */
  implemented_at: v.optional(
    v.nullable(v.union([v.pipe(v.string(), v.regex(MODULE_EXPORT, "must be module:export")), ExternalSchema])),
    null,
  ),
  /** The request to a service that it is. */
  provided_by: v.optional(v.nullable(ProvidedBySchema), null),
  input_type: v.optional(TypeReferenceSchema, null),
  output_type: v.optional(TypeReferenceSchema, null),
  /** An environment's name, or names in order of preference. null: any that has what `requires` says, else inline. */
  environment: v.optional(
    v.nullable(v.union([NameSchema, v.pipe(v.array(NameSchema), v.minLength(1), v.maxLength(16))])),
    null,
  ),
  /** Milliseconds. null is the default of LIMITS.syncTimeoutMs. */
  timeout_ms: v.optional(
    v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LIMITS.syncTimeoutMaxMs))),
    null,
  ),
  /** Hosts that the code may reach; none unless listed. */
  network: v.optional(v.pipe(v.array(HostSchema), v.maxLength(64)), []),
  /** Secrets that the code may read as ctx.secrets.NAME. */
  secrets: v.optional(v.pipe(v.array(NameSchema), v.maxLength(64)), []),
  /** A call is accepted, kept and run later; its caller gets an execution's id. */
  is_async: v.optional(v.boolean(), false),
  /** Takes a list of inputs and answers a list of outcomes, each item's own. The types are those of one item. */
  batch: v.optional(v.boolean(), false),
  /** How often and when an asynchronous execution is tried again. null is the default, DEFAULT_RETRY. */
  retry: v.optional(
    v.nullable(
      v.strictObject({
        max_attempts: v.optional(integer(1, 100), DEFAULT_RETRY.max_attempts),
        initial_ms: v.optional(integer(1, DAY_MS), DEFAULT_RETRY.initial_ms),
        max_ms: v.optional(integer(1, DAY_MS), DEFAULT_RETRY.max_ms),
      }),
    ),
    null,
  ),
  /** How many executions may run at once, for each value that `key` finds in the input; needs is_async. */
  concurrency: v.optional(
    v.nullable(
      v.strictObject({
        limit: integer(1, 1_000),
        key: v.optional(
          v.nullable(v.pipe(v.string(), v.regex(/^(?:\/(?:[^~/]|~[01])*)*$/, "must be a JSON Pointer"))),
          null,
        ),
        max_queued: v.optional(v.nullable(integer(0, LIMITS.queuedPerShard)), null),
      }),
    ),
    null,
  ),
  /** How many calls in how much time, of all callers together. */
  rate_limit: v.optional(v.nullable(RateLimitSchema), null),
  /** Which synchronous calls leave a record; asynchronous executions always do. */
  record: v.optional(v.picklist(["all", "errors", "none"]), "all"),
  /** How long records, outputs and artifacts are kept after the end. Milliseconds. null is LIMITS.retentionMs. */
  retention_ms: v.optional(v.nullable(integer(60_000, LIMITS.retentionMaxMs)), null),
  /** Capabilities that the environment must have. */
  requires: v.optional(CapabilitiesSchema, {}),
  /** A route of its own: a method and a path, `GET /people/{person_id}`; see rest-path.ts. */
  path: v.optional(v.nullable(v.string()), null),
  /** Calls that show what it does; their input and output must fit its types. */
  examples: v.optional(v.pipe(v.array(ExampleSchema), v.maxLength(LIMITS.examples)), []),
  /** What agents are told of it beside its description and types. null: nothing is said. */
  annotations: v.optional(v.nullable(AnnotationsSchema), null),
});
export type Operation = v.InferOutput<typeof OperationSchema>;

/** `schema` (JSON Schema 2020-12) or the shorthand `attributes`; never both. */
export const TypeSchema = v.strictObject({
  name: NameSchema,
  description,
  schema: v.optional(v.union([v.boolean(), JsonObjectSchema])),
  attributes: v.optional(JsonObjectSchema),
  /** Whether `format` in `schema` is checked, not only noted. Types from `attributes` or from code always check it. */
  assert_formats: v.optional(v.boolean()),
});
export type Type = v.InferOutput<typeof TypeSchema>;

/** A type as the code of a module says it. `name` is undefined for a type without one. */
const CodeTypeSchema = v.strictObject({
  name: v.optional(NameSchema),
  schema: v.union([v.boolean(), JsonObjectSchema]),
});
export type CodeType = v.InferOutput<typeof CodeTypeSchema>;

/** Where a module can run: JavaScript everywhere, Python on runners that allow it. */
export const MODULE_LANGUAGES = ["javascript", "python"] as const;
export type ModuleLanguage = (typeof MODULE_LANGUAGES)[number];

export const ModuleSchema = v.strictObject({
  name: NameSchema,
  description,
  language: v.optional(v.picklist(MODULE_LANGUAGES), "javascript"),
  /** The code this name points at now. The code itself is immutable, stored under its hash by PUT /modules/:sha256. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in lower-case hex")),
  /** For each exported handler, the types found in the code. */
  exports: v.record(
    v.pipe(v.string(), v.regex(/^[A-Za-z_$][A-Za-z0-9_$]{0,127}$/)),
    v.strictObject({ description, input: CodeTypeSchema, output: CodeTypeSchema }),
  ),
});
export type Module = v.InferOutput<typeof ModuleSchema>;

export const EnvironmentSchema = v.strictObject({
  name: NameSchema,
  description,
  active: v.optional(v.boolean(), true),
  /** The adapter that knows this sort of environment; the registry accepts those that are installed. */
  adapter: NameSchema,
  /** Checked by the adapter's own schema. */
  config: v.optional(JsonObjectSchema, {}),
  /** The adapter's word for a secret → the secret's name in the registry. */
  secrets: v.optional(v.record(NameSchema, NameSchema), {}),
  /** What the place has. Runners add what they declare themselves. */
  capabilities: v.optional(CapabilitiesSchema, {}),
});
export type Environment = v.InferOutput<typeof EnvironmentSchema>;

/** Some texts in the form of a time are none (an offset without minutes): a token with one would never expire. */
const isTime = (text: string): boolean => !Number.isNaN(Date.parse(text));

export const TokenSchema = v.strictObject({
  name: NameSchema,
  description,
  active: v.optional(v.boolean(), true),
  scopes: v.pipe(v.array(ScopeSchema), v.minLength(1)),
  /** RFC 3339, UTC. null never expires. */
  expires_at: v.optional(
    v.nullable(
      v.pipe(v.string(), v.isoTimestamp(), v.check(isTime, "must be a time that exists, such as 2030-01-31T00:00:00Z")),
    ),
    null,
  ),
  /** How many requests in how much time. */
  rate_limit: v.optional(v.nullable(RateLimitSchema), null),
});
export type Token = v.InferOutput<typeof TokenSchema>;

export const SecretSchema = v.strictObject({
  name: NameSchema,
  description,
  /** Write-only: sealed before it is stored, never answered. Left out of an edit, it stays as it is. */
  value: v.optional(v.pipe(v.string(), v.maxLength(65_536))),
  /** Groups whose operations may use it. */
  groups: v.optional(v.array(NameSchema), ["default"]),
});
export type Secret = v.InferOutput<typeof SecretSchema>;

/**
 * Every kind of entry, once: routes, built-in operations, opctl and change log are derived from this table.
 * `write` is the scope that a write needs; reading needs `registry:read`.
 */
export const KINDS = {
  operation: { plural: "operations", schema: OperationSchema, write: "registry:write" },
  type: { plural: "types", schema: TypeSchema, write: "registry:write" },
  module: { plural: "modules", schema: ModuleSchema, write: "registry:write" },
  environment: { plural: "environments", schema: EnvironmentSchema, write: "admin" },
  token: { plural: "tokens", schema: TokenSchema, write: "admin" },
  secret: { plural: "secrets", schema: SecretSchema, write: "admin" },
  webhook: { plural: "webhooks", schema: WebhookSchema, write: "registry:write" },
  schedule: { plural: "schedules", schema: ScheduleSchema, write: "registry:write" },
  subscription: { plural: "subscriptions", schema: SubscriptionSchema, write: "registry:write" },
  job: { plural: "jobs", schema: JobSchema, write: "registry:write" },
  agent: { plural: "agents", schema: AgentSchema, write: "registry:write" },
  state_machine: { plural: "state_machines", schema: StateMachineSchema, write: "registry:write" },
  service: { plural: "services", schema: ServiceSchema, write: "registry:write" },
  exposure: { plural: "exposures", schema: ExposureSchema, write: "registry:write" },
} as const satisfies Record<string, { plural: string; schema: v.GenericSchema; write: Scope }>;

export type Kind = keyof typeof KINDS;
export type Manifest = { [K in Kind]: v.InferOutput<(typeof KINDS)[K]["schema"]> };

export function kindOfPlural(plural: string): Kind | undefined {
  return (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind].plural === plural);
}

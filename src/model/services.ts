/**
 * Services as rows: what to run for as long as it is wanted, and how to reach it. A **service** says what runs, where, and by which
 * state machine it becomes hot and cold; an **exposure** is what operations name, and leads to the service that provides them now.
 */
import * as v from "valibot";
import { machineAddressOf } from "./destination.ts";
import { CapabilitiesSchema, ContainerSchema, ProcessSchema } from "./implementations.ts";
import { NameSchema } from "./names.ts";
import { ScopeSchema } from "./scope.ts";

function integer(least: number, most: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
}

const description = v.optional(v.pipe(v.string(), v.maxLength(4000)), "");
const VariableSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be the name of an environment variable"),
);

/** What runs. Null in a service: whatever its own operations start. */
export const RunSchema = v.union(
  [
    v.strictObject({
      process: v.strictObject({
        ...ProcessSchema.entries,
        /** On the runner's machine; relative to where the runner was started. null: an empty folder of its own. */
        working_directory: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(4_096))), null),
      }),
    }),
    v.strictObject({ container: ContainerSchema }),
    /** It runs already, and nobody here starts or stops it. */
    v.strictObject({ address: v.pipe(v.string(), v.maxLength(2048), v.regex(/^https?:\/\//, "must be an http URL")) }),
  ],
  "must be an object with process, container or address",
);
export type Run = v.InferOutput<typeof RunSchema>;

const HealthSchema = v.strictObject({
  /** GET must answer 200 to 399 there. null: its port takes a connection. */
  path: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(1_000), v.regex(/^\//, "must begin with /"))), null),
  interval_ms: v.optional(integer(100, 5 * 60_000), 5_000),
  timeout_ms: v.optional(integer(10, 60_000), 2_000),
  /** In a row, until it counts as broken and is replaced. */
  failures: v.optional(integer(1, 100), 3),
  /** How long it may take until it is healthy for the first time. */
  start_ms: v.optional(integer(100, 60 * 60_000), 60_000),
});
export const HEALTH_DEFAULTS: v.InferOutput<typeof HealthSchema> = {
  path: null,
  interval_ms: 5_000,
  timeout_ms: 2_000,
  failures: 3,
  start_ms: 60_000,
};

/** Operations that carry out what the controller decides; in their place, those of the team. */
const StepsSchema = v.strictObject({
  start: v.optional(NameSchema, "start_replica"),
  stop: v.optional(NameSchema, "stop_replica"),
  observe: v.optional(NameSchema, "probe_replicas"),
});
export const STEP_DEFAULTS: v.InferOutput<typeof StepsSchema> = {
  start: "start_replica",
  stop: "stop_replica",
  observe: "probe_replicas",
};

export const REPLICAS_DEFAULT = { min: 1, max: 5 };
export const STOP_MS_DEFAULT = 10_000;

export const ServiceSchema = v.strictObject({
  name: NameSchema,
  description,
  /** Secrets are granted to it. */
  group: v.optional(NameSchema, "default"),
  /** Off: it is stopped, and requests are refused. */
  active: v.optional(v.boolean(), true),
  /** The environment that runs it, or through which it is reached where it runs already. */
  environment: NameSchema,
  run: v.optional(v.nullable(RunSchema), null),
  /** Environment variables. PORT is set to the port that it must listen on. */
  variables: v.optional(v.record(VariableSchema, v.pipe(v.string(), v.maxLength(65_536))), {}),
  /** Environment variable → the secret that fills it. */
  secrets: v.optional(v.record(VariableSchema, NameSchema), {}),
  /** null: any that is free; in a container 8080. */
  port: v.optional(v.nullable(integer(1, 65_535)), null),
  health: v.optional(HealthSchema, HEALTH_DEFAULTS),
  /** Capabilities that the runner must have. */
  requires: v.optional(CapabilitiesSchema, {}),
  /** Bounds of how many replicas there are while any are wanted. */
  replicas: v.optional(
    v.strictObject({
      min: v.optional(integer(1, 1_000), REPLICAS_DEFAULT.min),
      max: v.optional(integer(1, 1_000), REPLICAS_DEFAULT.max),
    }),
    REPLICAS_DEFAULT,
  ),
  state_machine: v.optional(NameSchema, "hot_cold"),
  /** From being asked to end until it is killed. */
  stop_ms: v.optional(integer(0, 60 * 60_000), STOP_MS_DEFAULT),
  /** How long requests that it has may take when it is to go. */
  drain_ms: v.optional(integer(0, 60 * 60_000), 30_000),
  /** Requests that may wait for it. */
  max_waiting: v.optional(integer(0, 100_000), 1_000),
  operations: v.optional(StepsSchema, STEP_DEFAULTS),
  /** What its own steps and requirements may do. */
  scopes: v.optional(v.pipe(v.array(ScopeSchema), v.minLength(1), v.maxLength(32)), ["ops:invoke"]),
});
export type ServiceRow = v.InferOutput<typeof ServiceSchema>;

/** Sorts of `run`. */
export type ServiceSort = "process" | "container" | "address";

/** null: its own operations say what runs. */
export function sortOf({ run }: { run: Run | null }): ServiceSort | null {
  if (run === null) return null;
  if ("process" in run) return "process";
  return "container" in run ? "container" : "address";
}

export const VIAS = ["auto", "direct", "environment"] as const;

export const ExposureSchema = v.strictObject({
  name: NameSchema,
  description,
  active: v.optional(v.boolean(), true),
  service: NameSchema,
  protocol: v.optional(v.picklist(["http"]), "http"),
  /** Before the path of each request. */
  base_path: v.optional(
    v.pipe(v.string(), v.maxLength(1_000), v.regex(/^(?:|\/.*[^/])$/, "must be empty or /path")),
    "",
  ),
  /** direct: its own address; environment: the way that the environment has to it; auto: the first if there is one. */
  via: v.optional(v.picklist(VIAS), "auto"),
});
export type ExposureRow = v.InferOutput<typeof ExposureSchema>;

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

const FieldSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(256));

/**
 * Of an operation: the request that calls it. Fields of the input that the path, `query`, `headers` and `body` do not name go
 * into the query of a GET, HEAD or DELETE, and of others into a JSON object that is the body.
 */
export const ProvidedBySchema = v.strictObject({
  exposure: NameSchema,
  method: v.optional(v.picklist(METHODS), "POST"),
  /** `/albums/{album_id}`: braces name fields of the input. */
  path: v.pipe(v.string(), v.maxLength(2_000), v.regex(/^\/[^?#\s]*$/, "must begin with / and have no query")),
  query: v.optional(v.pipe(v.array(FieldSchema), v.maxLength(64)), []),
  /** Header → field. */
  headers: v.optional(v.record(v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/)), FieldSchema), {}),
  /** The one field that is the whole body. */
  body: v.optional(v.nullable(FieldSchema), null),
});
export type ProvidedBy = v.InferOutput<typeof ProvidedBySchema>;

/** What a place is told to run; secrets are opened. Everything that decides how it behaves is in its `revision`. */
export type ReplicaSpec = Pick<ServiceRow, "port" | "health" | "requires" | "stop_ms"> & {
  run: Run | null;
  variables: Readonly<Record<string, string>>;
  /** Those of the variables that secrets filled: their values are kept out of its log. Left out: it could be any of them. */
  secrets?: readonly string[];
};

/**
 * Where a replica is for its controller. candidate: ready, and given no requests yet; draining: given no more; ended: no row of the
 * controller's has it any more.
 */
export const REPLICA_PHASES = ["starting", "candidate", "ready", "draining", "stopping", "ended"] as const;
export type ReplicaPhase = (typeof REPLICA_PHASES)[number];

export const REPLICA_STATUSES = ["starting", "ready", "unready", "ended"] as const;

/** Where a replica on a runner can be reached without it. A runner is not trusted to name just anything. */
export const RunnerAddressSchema = v.pipe(
  v.string(),
  v.maxLength(64),
  v.check(
    (text) => machineAddressOf(text) !== undefined,
    "must be http://ADDRESS:PORT, of an address that a machine can have",
  ),
);

/** What a place says of a replica that it has, or had. */
export type ReplicaReport = {
  replica: string;
  service: string;
  revision: string;
  /** The runner's name; of places that have no members, empty. */
  place: string;
  status: (typeof REPLICA_STATUSES)[number];
  /** `http://10.0.0.5:41234`, where requests could go without the environment; null: there is no such way. */
  address: string | null;
  /** Of what it may use, 0 to 1. null: not known. */
  cpu: number | null;
  /** Of a set: how many there are, and how many of those are ready. 1 and 0 or 1 for a single one. */
  count: number;
  ready: number;
  /** Of one that has ended: how, as a sentence's end. */
  ended: string | null;
  /** The last lines of its output. */
  lines: readonly string[];
};

/** What a pool of runners tells of one service: replicas as they are on a runner now; `lost`: the runner is gone, and why. */
export type PoolReport = {
  environment: string;
  place: string;
  replicas: readonly ReplicaReport[];
  lost: string | null;
};

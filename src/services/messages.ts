/**
 * What passes between a service's object, the isolates that send requests, its stateless invocations and the pools of runners: JSON
 * text. Durations are milliseconds, so that no two clocks are compared.
 *
 * A **lease** lets an isolate (a holder) send requests to the replicas that it lists, for `ttlMs` from when it *asked*. The object
 * counts from when it *answered*, so it believes in a lease longer than its holder does. A replica that is to go is in no new lease;
 * it is stopped when all leases that had it are over and no holder says that requests are still with it.
 */
import type { ErrorData } from "../core/errors.ts";
import type { ReplicaRef } from "../adapters/service-host.ts";
import type { ReplicaReport, ServiceRow } from "../model/services.ts";
import type { StateMachine } from "../model/state-machines.ts";

/** How long a lease holds. */
export const LEASE_TTL_MS = 1_000;

/** What a holder knows of its own requests. It tells with each acquire(), and by report() while any are under way. */
export type HolderReport = {
  /** Of one isolate's memory. */
  holder: string;
  /** Requests of its that wait for a replica. */
  waiting: number;
  /** Replica → requests under way. */
  inFlight: Readonly<Record<string, number>>;
  /** Requests begun since its last report. */
  begun: number;
  /** Since its last request ended; 0 while one is under way. */
  idleMs: number;
  /** Replicas that it has found broken, and how. */
  broken: Readonly<Record<string, string>>;
};

export type AcquireOrder = HolderReport & {
  /** Answer within so long, with `warming` where nothing is ready. */
  waitMs: number;
};

export type AcquireAnswer =
  | { kind: "lease"; ttlMs: number; replicas: readonly LeasedReplica[] }
  /** `elsewhere`: requests that wait in other isolates. */
  | { kind: "warming"; reason: string; elsewhere: number }
  | { kind: "refused"; error: ErrorData };
/** `environmentRevision`: the place where it is, as that revision of the environment says it, whatever the row says by now. */
export type LeasedReplica = ReplicaRef & { environment: string; environmentRevision: number };

/** Told by pools of runners, which know nothing of this folder. */
export type { PoolReport } from "../model/services.ts";

/** The rows that a service's object goes by. */
export type ServiceSettings = {
  row: ServiceRow & { digest: string };
  machine: StateMachine & { digest: string };
  /** How its environment keeps replicas. null: the environment is not there, or runs no services; `problem` says why. */
  unit: "replica" | "set" | null;
  /** Of the environment: changes with whatever says where its replicas are, and with nothing else. */
  site: string;
  environmentRevision: number;
  problem: string | null;
};

/** null: the row is gone. `error`: the registry did not say. */
export type LookAnswer = { settings: ServiceSettings | null } | { error: ErrorData };

/**
 * One step for a stateless invocation (ServiceRunner.step). `place`: where it is, when that is known already. `environment`: where it
 * was started, whatever the row says by now. `row`: as it was known last, since what is to be stopped may have none any more.
 * `isStray`: only its runner knows of it, so that it is stopped there and nobody is called.
 */
export type StepOrder = { service: string; environment: string } & (
  | { do: "start"; replica: string; revision: string; count: number; place: string | null }
  | { do: "stop"; replica: string; place: string; address: string | null; row: GoneRow; isStray?: true }
  | { do: "observe"; replicas: readonly ReplicaRef[] }
);

/** As much of a row as stopping needs. */
export type GoneRow = Pick<ServiceRow, "name" | "stop_ms" | "operations" | "scopes">;

export type StepAnswer =
  | { kind: "started"; report: ReplicaReport }
  | { kind: "stopped" }
  | { kind: "observed"; reports: readonly ReplicaReport[] }
  /** `again`: nobody has to mend anything, asking again may do. */
  | { kind: "failed"; error: ErrorData; again: boolean };

/** A requirement that only an operation or an expression can answer (ServiceRunner.ask). undefined: it could not be asked. */
export type AskOrder = { service: string; leaf: { operation: string; input: Record<string, unknown> } };
export type AskAnswer = { holds?: boolean; error?: ErrorData };

/** What people and operations want of it, beside its state machine. `by`: the principal's name; left out: it is not known. */
export type Command = { by?: string } & (
  | { do: "deploy" }
  | { do: "undeploy" }
  | { do: "scale"; replicas: number }
  /** All of its replicas are replaced, one after another. */
  | { do: "restart" }
);

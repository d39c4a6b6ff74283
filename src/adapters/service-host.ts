/**
 * What an adapter says and does where services run: the other half of an adapter, used by the service's controller for its steps
 * and by the adapter `service` for each request. All of it is idempotent: whoever does not know whether a start or a stop has
 * come through asks again with the same replica's name.
 */
import type { Cancellation } from "../core/cancellation.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { ReplicaReport, ReplicaSpec, Run, ServiceSort } from "../model/services.ts";
import type { Exchanged } from "./http/exchange.ts";

/** `replica`: a name for ever, letters, digits and dashes; `count`: how many a set has, 1 where replicas are single. */
export type StartOrder = {
  service: string;
  replica: string;
  /** Changes with whatever changes how it behaves. */
  revision: string;
  count: number;
  spec: ReplicaSpec;
  /** What place() answered; where it answers none, empty. */
  place: string;
};

export type ReplicaRef = {
  service: string;
  replica: string;
  place: string;
  address: string | null;
};

export type ServiceRequest = {
  method: string;
  /** With the exposure's base path, and the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body?: string;
  timeoutMs: number;
  cancellation?: Cancellation;
  /** For the records of the environment: what it is done for. */
  execution: string;
  attempt: number;
};

export interface ServiceHost {
  /** `replica`: each is started and stopped by itself; `set`: the place keeps as many as it is told, and replaces them itself. */
  readonly unit: "replica" | "set";
  /** What it can run. */
  readonly runs: readonly ServiceSort[];
  /**
   * Settings of an environment that say where its replicas are: when one is edited others are started there, and those that are there
   * are stopped where they were started. Every other setting holds at once for what runs. Left out: none does.
   */
  readonly placedBy?: readonly string[];
  /**
   * Which of its members is to run one more, fit for it and with the fewest of the service. Throws environment_unavailable,
   * with the reason, when none can. Left out where places have no members.
   */
  place?(order: Omit<StartOrder, "place">, environment: EnvironmentHandle): Promise<string>;
  /**
   * Resolves once it is ready, or with a report of its end. Throws what stood in the way: environment_unavailable and
   * environment_throttled are asked again, environment_forbids and environment_misconfigured are for people.
   */
  start(order: StartOrder, environment: EnvironmentHandle): Promise<ReplicaReport>;
  /** Resolves once it is gone; one that is not there is gone. */
  stop(replica: ReplicaRef & { graceMs: number }, environment: EnvironmentHandle): Promise<void>;
  /**
   * Those that it has now, or had and has not told of. `run`: of those that run by themselves, where; `health`: by what they are
   * judged. What this host has started was told at its start; of the others nobody else would say it. Left out: any answer will do.
   */
  observe(
    of: { service: string; run: Run | null; replicas: readonly ReplicaRef[]; health?: ReplicaSpec["health"] },
    environment: EnvironmentHandle,
  ): Promise<readonly ReplicaReport[]>;
  /** Whether requests may go straight to an address that the place has reported. Left out: to any. */
  mayReach?(address: string, environment: EnvironmentHandle): boolean;
  /** Carries one request there. Never throws. `via` "direct" only where `address` is known. */
  send(
    to: ReplicaRef & { via: "direct" | "environment" },
    request: ServiceRequest,
    environment: EnvironmentHandle,
  ): Promise<Exchanged>;
}

/**
 * The replicas of services that a runner keeps: started, stopped, watched and asked. A replica's name is one for ever: asked to
 * start one that is there, or was, it starts nothing. What has ended is kept until the pool was told, and a while longer, so
 * that a start that comes twice is not done twice.
 */
import type http from "node:http";
import { SwitchyardError } from "../../core/errors.ts";
import type { ReplicaWork } from "../../model/host-protocol.ts";
import type { InvocationResult } from "../../model/invocation.ts";
import type { ReplicaReport } from "../../model/services.ts";
import type { TellsOfReplicas } from "../runner-door.node.ts";
import { failed } from "../work/_work.ts";
import type { Journal } from "../work/journal.node.ts";
import { Ports } from "./_ports.node.ts";
import { Replica, type ReplicaDeps } from "./_replica.node.ts";
import { ask, createAgent, type Asked } from "./_request.node.ts";

export type ReplicasOptions = {
  /** The runner's name. */
  place: string;
  /** An address of this machine that replicas listen on, and are reached at from elsewhere; else they listen on 127.0.0.1. */
  serviceHost?: string | undefined;
  /** Where it notes what it has started. Without, what a runner that is killed leaves behind is left. */
  journal?: Journal | undefined;
  log: (line: string) => void;
};

/** How long a runner that drains waits for its replicas to be replaced elsewhere. */
const DRAIN_MS = 10_000;
const KEPT_ENDED = 256;

type Ended = { report: ReplicaReport; isTold: boolean };

export class Replicas implements TellsOfReplicas {
  readonly #replicas = new Map<string, Replica>();
  readonly #ended = new Map<string, Ended>();
  readonly #agent: http.Agent = createAgent();
  readonly #deps: ReplicaDeps;
  #listener: () => void = () => {};
  #drainTimer: NodeJS.Timeout | undefined;
  #isDraining = false;

  constructor({ place, serviceHost, journal, log }: ReplicasOptions) {
    const host = serviceHost ?? "127.0.0.1";
    this.#deps = {
      place,
      host,
      isPublic: serviceHost !== undefined,
      ports: new Ports(host),
      journal,
      log,
      onChange: () => this.#changed(),
    };
  }

  /** Resolves once it is ready or has ended. Throws what kept it from being started at all. */
  async start(work: ReplicaWork & { do: "start" }): Promise<ReplicaReport> {
    const before = this.#ended.get(work.replica);
    // One that was stopped before it came is kept under the name of whoever stopped it: nobody keeps another's from starting.
    if (before !== undefined && before.report.service === work.service) return before.report;
    let replica = this.#replicas.get(work.replica);
    if (replica === undefined) {
      if (this.#isDraining) {
        const { place } = this.#deps;
        throw new SwitchyardError(
          "environment_unavailable",
          `Cannot start "${work.service}" on the runner "${place}": it must take new work; it is draining`,
        );
      }
      replica = new Replica(work, this.#deps);
      this.#replicas.set(work.replica, replica);
      this.#changed();
    }
    try {
      await replica.start();
    } catch (thrown) {
      this.#replicas.delete(work.replica);
      this.#changed();
      throw thrown;
    }
    return this.#adjusted(replica.report());
  }

  /** `service`: on whose behalf. Throws where the replica is another's. */
  async stop({ service, replica: name, grace_ms: graceMs }: ReplicaWork & { do: "stop"; service: string }) {
    const replica = this.#replicas.get(name);
    if (replica !== undefined && replica.service !== service) {
      throw new SwitchyardError(
        "environment_forbids",
        `Cannot stop ${name} for the service "${service}": it must be one of its own replicas; it is another's`,
      );
    }
    if (replica !== undefined) return replica.stop(graceMs);
    // A start that was overtaken on its way must not start it now.
    const { place } = this.#deps;
    if (!this.#ended.has(name)) this.#keepEnded(neverStarted(name, { service, place }), true);
  }

  observe(service: string | null): readonly ReplicaReport[] {
    return this.reports().filter((report) => service === null || report.service === service);
  }

  async request(asked: Omit<Asked, "target">): Promise<InvocationResult> {
    const { replica } = asked.work;
    const there = this.#replicas.get(replica);
    if (there?.target !== undefined) {
      const result = await ask(this.#agent, { ...asked, target: there.target });
      if (!result.ok && result.error.code === "executor_lost") await there.settled();
      return result;
    }
    const ended = this.#ended.get(replica)?.report.ended ?? "it is not";
    const rule = `it must be on the runner "${this.#deps.place}"; ${ended}`;
    return failed("environment_unavailable", `Cannot reach ${replica}: ${rule}`);
  }

  reports(): readonly ReplicaReport[] {
    return [
      ...[...this.#replicas.values()].map((replica) => this.#adjusted(replica.report())),
      ...[...this.#ended.values()].filter(({ isTold }) => !isTold).map(({ report }) => report),
    ];
  }

  told(reports: readonly ReplicaReport[]): void {
    for (const { replica, status } of reports) {
      const ended = this.#ended.get(replica);
      if (status === "ended" && ended !== undefined) ended.isTold = true;
    }
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** They count as unready, so that others take their place, and are stopped when they are still there after a while. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#drainTimer = setTimeout(() => void this.#stopAll(), DRAIN_MS);
    this.#changed();
  }

  /** Stops all, each within its own grace or within this one. */
  async close(graceMs?: number): Promise<void> {
    this.#isDraining = true;
    clearTimeout(this.#drainTimer);
    await this.#stopAll(graceMs);
    this.#agent.destroy();
  }

  async #stopAll(graceMs?: number): Promise<void> {
    await Promise.all([...this.#replicas.values()].map((replica) => replica.stop(graceMs ?? replica.graceMs)));
  }

  /** Nothing that is on its way out counts as ready. */
  #adjusted(report: ReplicaReport): ReplicaReport {
    return this.#isDraining && report.status === "ready" ? { ...report, status: "unready", ready: 0 } : report;
  }

  #changed(): void {
    for (const [name, replica] of this.#replicas) {
      if (replica.status !== "ended") continue;
      this.#replicas.delete(name);
      this.#keepEnded(replica.report(), false);
    }
    this.#listener();
  }

  #keepEnded(report: ReplicaReport, isTold: boolean): void {
    this.#ended.set(report.replica, { report, isTold });
    for (const [name] of this.#ended) {
      if (this.#ended.size <= KEPT_ENDED) break;
      this.#ended.delete(name);
    }
  }
}

function neverStarted(replica: string, { service, place }: { service: string; place: string }): ReplicaReport {
  return {
    replica,
    service,
    revision: "",
    place,
    status: "ended",
    address: null,
    cpu: null,
    count: 1,
    ready: 0,
    ended: "it was stopped",
    lines: [],
  };
}

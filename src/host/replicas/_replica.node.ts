/**
 * One replica of a service on this machine, from its start to its end. Its health is watched and told, never acted upon: whether
 * one that does not answer is replaced is the controller's to say.
 *
 *     starting → ready ⇄ unready → ended          starting → ended: never healthy in time, or gone before
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { redactor } from "../../core/redact.ts";
import type { ReplicaWork } from "../../model/host-protocol.ts";
import type { ReplicaReport, ReplicaSpec } from "../../model/services.ts";
import { commandOf, portWanted } from "./_command.node.ts";
import { askHealth, type Target } from "./_health.node.ts";
import type { Journal } from "../work/journal.node.ts";
import type { Ports } from "./_ports.node.ts";
import { groupTicks, TICKS_PER_S } from "../work/proc.node.ts";
import { launch, within, type Running } from "./_running.node.ts";
import { Tail } from "./_tail.ts";

export type ReplicaDeps = {
  /** The runner's name. */
  place: string;
  /** The address that replicas listen on. */
  host: string;
  /** They are reached there from elsewhere too. */
  isPublic: boolean;
  ports: Ports;
  journal: Journal | undefined;
  log: (line: string) => void;
  /** Something of it changed that others want to know at once. */
  onChange: () => void;
};

/** Between two looks while it starts: a fiftieth of the time that it has taken, so that nobody waits much longer than for the server. */
const LOOK_SHARE = 0.02;
/** Longer than Docker takes to tell of an end. */
const SETTLED_MS = 1_000;
const LOOK_MS = { least: 5, most: 100 };
const ADDRESS_IN_USE =
  /EADDRINUSE|address (?:is )?already in use|address in use|port is already allocated|only one usage of each socket address/i;

export class Replica {
  readonly service: string;
  readonly name: string;
  readonly #revision: string;
  readonly #spec: ReplicaSpec;
  readonly #deps: ReplicaDeps;
  readonly #tail: Tail;
  #status: ReplicaReport["status"] = "starting";
  #ended: string | null = null;
  #cpu: number | null = null;
  #running: Running | undefined;
  #port: number | undefined;
  #inside: number | null = null;
  #isStopping = false;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #going: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #used: { ticks: number; at: number } | undefined;

  constructor({ service, replica, revision, spec }: ReplicaWork & { do: "start" }, deps: ReplicaDeps) {
    this.service = service;
    this.name = replica;
    this.#revision = revision;
    this.#spec = spec;
    this.#deps = deps;
    const secrets = (spec.secrets ?? Object.keys(spec.variables)).map((name) => spec.variables[name] ?? "");
    const log = (line: string) => deps.log(`${service} ${replica}: ${line}`);
    this.#tail = new Tail({ redact: redactor(secrets), log });
  }

  get status(): ReplicaReport["status"] {
    return this.#status;
  }

  get graceMs(): number {
    return this.#spec.stop_ms;
  }

  /** Where requests go; undefined while it does not run. */
  get target(): { host: string; port: number } | undefined {
    return this.#port === undefined || this.#status === "ended"
      ? undefined
      : { host: this.#deps.host, port: this.#port };
  }

  /** Resolves once it is ready or has ended; rejects when it could not be started at all. Asked again, the same. */
  start(): Promise<void> {
    return (this.#starting ??= this.#start());
  }

  /** Resolves once it is gone. */
  stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    return (this.#stopping ??= this.#stop(graceMs));
  }

  /**
   * After a request that broke off. Docker tells that a container has ended some time after it has, and its proxy takes connections for it
   * until then: whoever sends the request once more must not meet it again.
   */
  async settled(): Promise<void> {
    if (this.#inside !== null && this.#going !== undefined) await within(this.#going, SETTLED_MS);
  }

  report(): ReplicaReport {
    const { place, host, isPublic } = this.#deps;
    const isThere = this.#status !== "ended" && this.#port !== undefined;
    return {
      replica: this.name,
      service: this.service,
      revision: this.#revision,
      place,
      status: this.#status,
      address: isThere && isPublic ? `http://${host.includes(":") ? `[${host}]` : host}:${this.#port}` : null,
      cpu: this.#cpu,
      count: 1,
      ready: this.#status === "ready" ? 1 : 0,
      ended: this.#ended,
      lines: this.#tail.lines,
    };
  }

  async #start(): Promise<void> {
    for (let isAgain = false; ; isAgain = true) {
      const why = await this.#launch();
      if (why === undefined) return this.#becomeReady();
      const isTaken = this.#tail.lines.some((line) => ADDRESS_IN_USE.test(line));
      const isFixed = (await portWanted(this.#spec)) !== null;
      if (isAgain || !isTaken || isFixed || this.#isStopping) return this.#end(why);
      this.#deps.log(`${this.service} ${this.name}: port ${this.#port} was taken meanwhile; trying another`);
      this.#releasePort();
    }
  }

  /** Why it did not become ready, once nothing of it is left. */
  async #launch(): Promise<string | undefined> {
    const { ports, host, journal } = this.#deps;
    const port = await ports.take(await portWanted(this.#spec), { service: this.service, replica: this.name });
    this.#port = port;
    const folder = await mkdtemp(path.join(tmpdir(), "switchyard-replica-"));
    try {
      const [service, replica, spec] = [this.service, this.name, this.#spec];
      const command = await commandOf({ service, replica, spec, host, port, folder });
      if (this.#isStopping) {
        await rm(folder, { recursive: true, force: true });
        return "it was stopped";
      }
      const what = `the replica ${replica} of "${service}"`;
      const running = await launch(command, { what, folder, tail: this.#tail, journal });
      this.#running = running;
      this.#deps.onChange();
      const { inside } = command;
      const why = await this.#untilReady(running, { host, port, inside });
      this.#inside = inside;
      if (why !== undefined) await running.stop(this.#spec.stop_ms);
      return why;
    } catch (thrown) {
      await rm(folder, { recursive: true, force: true });
      this.#releasePort();
      throw thrown;
    }
  }

  async #untilReady(running: Running, target: Target): Promise<string | undefined> {
    const { health } = this.#spec;
    const startedAt = performance.now();
    let last = "it was not asked";
    for (;;) {
      const spentMs = performance.now() - startedAt;
      const leftMs = health.start_ms - spentMs;
      if (this.#isStopping) return "it was stopped";
      if (running.end !== undefined) return `${await running.ended} before it was ready`;
      if (leftMs <= 0) return `it was not healthy within ${health.start_ms} ms: ${last}`;
      const timeoutMs = Math.max(10, Math.min(health.timeout_ms, leftMs));
      const asked = askHealth(target, { path: health.path, timeout_ms: timeoutMs });
      const why = await Promise.race([asked, running.ended]);
      // What answers may be another's, should this one have found its port taken.
      if (why === undefined && running.end === undefined) return this.#isStopping ? "it was stopped" : undefined;
      last = why ?? last;
      const waitMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, spentMs * LOOK_SHARE));
      await within(running.ended, Math.min(waitMs, leftMs));
    }
  }

  #becomeReady(): void {
    this.#become("ready");
    this.#watch();
    this.#going = this.#running?.ended.then((how) => this.#gone(how));
  }

  /** It ended by itself: what it has started ends with it. */
  async #gone(how: string): Promise<void> {
    if (this.#isStopping) return;
    await this.#running?.stop(0);
    this.#end(how);
  }

  async #stop(graceMs: number): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running?.stop(graceMs);
    // One that is being started sees that it is to stop, and ends by itself.
    await this.#starting?.catch(() => undefined);
    await this.#running?.stop(graceMs);
    this.#end("it was stopped");
  }

  #end(how: string): void {
    if (this.#status === "ended") return;
    clearTimeout(this.#timer);
    this.#releasePort();
    this.#ended = how;
    this.#cpu = null;
    this.#become("ended");
  }

  #releasePort(): void {
    if (this.#port !== undefined) this.#deps.ports.giveBack(this.#port);
    this.#port = undefined;
  }

  #become(status: ReplicaReport["status"]): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#deps.onChange();
  }

  #watch(): void {
    const { health } = this.#spec;
    this.#timer = setTimeout(() => {
      void this.#look().finally(() => {
        if (this.#status !== "ended" && !this.#isStopping) this.#watch();
      });
    }, health.interval_ms);
  }

  async #look(): Promise<void> {
    const { target } = this;
    if (target === undefined) return;
    this.#measure();
    const { health } = this.#spec;
    const why = await askHealth({ ...target, inside: this.#inside }, health);
    if (this.#isStopping || this.#status === "ended") return;
    this.#failures = why === undefined ? 0 : this.#failures + 1;
    if (why === undefined) return this.#become("ready");
    if (this.#failures < health.failures || this.#status === "unready") return;
    this.#deps.log(`${this.service} ${this.name}: not healthy ${this.#failures} times in a row: ${why}`);
    this.#become("unready");
  }

  /** Of one core, at most 1: most servers run on one, and whoever has more work than that wants another replica. Of the whole group. */
  #measure(): void {
    const { run } = this.#spec;
    if (this.#running === undefined || (run !== null && "container" in run)) return;
    const at = performance.now();
    const ticks = groupTicks(this.#running.pid, at);
    if (ticks === null) return;
    const before = this.#used;
    this.#used = { ticks, at };
    if (before === undefined || at <= before.at) return;
    const share = (ticks - before.ticks) / TICKS_PER_S / ((at - before.at) / 1_000);
    this.#cpu = Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 1_000;
  }
}

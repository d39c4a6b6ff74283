/// <reference types="@cloudflare/vitest-pool-workers/types" />
/**
 * Services' objects whose rows, runners and clock the tests hold. What the steps do lies outside of the object, where it survives it:
 * plain objects that start, keep and stop replicas as a ServiceHost is to. The clock stands still, years ahead: no alarm fires unless
 * a test rings it.
 */
import { env as bindings, WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import type { ErrorCode, ErrorData } from "../../src/core/errors.ts";
import { READY_MADE } from "../../src/machines/ready-made.ts";
import { ServiceSchema, type PoolReport, type ReplicaReport } from "../../src/model/services.ts";
import { StateMachineSchema } from "../../src/model/state-machines.ts";
import type { ObjectStatus } from "../../src/services/_status.ts";
import type {
  AcquireAnswer,
  Command,
  HolderReport,
  LookAnswer,
  ServiceSettings,
  StepAnswer,
  StepOrder,
} from "../../src/services/messages.ts";
import { ServiceObject as RealServiceObject } from "../../src/services/service-object.ts";
import { die, mortal } from "./_mortal.ts";

export const START = Date.UTC(2040, 0, 1, 12);
export const SECOND = 1_000;

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var serviceWorlds: TestWorld[] | undefined;
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var serviceClock: { now: number } | undefined;
}

// This file is loaded more than once into one isolate.
const worlds = (globalThis.serviceWorlds ??= []);
export const clock = (globalThis.serviceClock ??= { now: START });
Date.now = () => clock.now;

/** Services are named `w<world>_<name>`. */
function worldOf(name: string | undefined): TestWorld {
  const world = worlds[Number(/^w([0-9]+)_/.exec(name ?? "")?.[1])];
  if (world === undefined) throw new TypeError(`a service's name must begin with that of a world; it is ${name}`);
  return world;
}

export class ServiceObject extends RealServiceObject {
  constructor(state: DurableObjectState, env: unknown) {
    const world = worldOf(state.id.name);
    const { storage } = state;
    mortal(state, world, () => dieIn(world, state));
    const [setAlarm, deleteAlarm] = [storage.setAlarm.bind(storage), storage.deleteAlarm.bind(storage)];
    storage.setAlarm = (at) => {
      world.alarmAt = Number(at);
      return setAlarm(at);
    };
    storage.deleteAlarm = () => {
      world.alarmAt = undefined;
      return deleteAlarm();
    };
    super(state, env);
  }

  rows(query: string): Record<string, SqlStorageValue>[] {
    return this.ctx.storage.sql.exec(query).toArray();
  }

  alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm();
  }

  /** What is written is on disk, so messages have left, and what they brought is written. */
  async rest(): Promise<void> {
    const world = worldOf(this.ctx.id.name);
    // Between a message that leaves and whoever takes it nothing is on its way for a moment.
    for (let quiet = 0, writes = world.writes, turns = 0; quiet < 3 && turns < 30; turns++) {
      await this.ctx.storage.sync();
      await world.rest();
      quiet = world.writes === writes && !this.#isAwaited(world) ? quiet + 1 : 0;
      writes = world.writes;
    }
  }

  /** A step is under way that nothing holds back. */
  #isAwaited(world: TestWorld): boolean {
    const rows = this.ctx.storage.sql.exec<{ data: string }>("SELECT data FROM replicas").toArray();
    return rows
      .map(({ data }) => JSON.parse(data) as { replica: string; step: string | null; stepAt: number })
      .some(({ step, stepAt }) => step !== null && stepAt <= clock.now && !(step === "start" && world.holds));
  }

  /** Memory is gone, tables are there. */
  kill(): void {
    dieIn(worldOf(this.ctx.id.name), this.ctx);
  }

  /** The alarm, if it is due, and nothing is waited for. */
  async ring(): Promise<void> {
    const at = await this.ctx.storage.getAlarm();
    if (at === null || at > clock.now) return;
    await this.ctx.storage.deleteAlarm();
    await this.alarm();
  }

  /** Rings each alarm that is due by then, in order; what each sets off comes to rest before the next. */
  async ringUntil(time: number): Promise<void> {
    for (let rings = 0; rings < 2_000; rings++) {
      await this.rest();
      const at = await this.ctx.storage.getAlarm();
      if (at === null || at > time) {
        clock.now = time;
        return;
      }
      clock.now = Math.max(clock.now, at);
      // As the runtime does it: the alarm is forgotten, then the handler called.
      await this.ctx.storage.deleteAlarm();
      await this.alarm();
    }
    throw new Error("the alarms never come to rest");
  }
}

function dieIn(world: TestWorld, state: DurableObjectState): never {
  world.forget();
  return die(state);
}

/** In place of the real one: over the world's runners. */
export class ServiceRunner extends WorkerEntrypoint {
  look(service: string): Promise<string> {
    const world = worldOf(service);
    return world.during(async () => JSON.stringify({ settings: world.settings() } satisfies LookAnswer));
  }

  step(text: string): Promise<string> {
    const order = JSON.parse(text) as StepOrder;
    const world = worldOf(order.service);
    return world.during(async () => JSON.stringify(await world.step(order)));
  }

  ask(text: string): Promise<string> {
    const { service, leaf } = JSON.parse(text) as { service: string; leaf: { operation: string } };
    const world = worldOf(service);
    return world.during(async () => {
      world.asked += 1;
      await world.beforeAnswer?.();
      const holds = world.says.get(leaf.operation);
      return JSON.stringify(holds === undefined ? {} : { holds });
    });
  }
}

function goneReport(service: string, replica: string): ReplicaReport {
  const nothing = { revision: "", place: "one", address: null, cpu: null, count: 1, ready: 0, lines: [] };
  return { ...nothing, replica, service, status: "ended", ended: "one has it no more" };
}

type Kept = ReplicaReport & { begunAt: number };

export class TestWorld {
  readonly number = worlds.push(this) - 1;
  row: ServiceSettings["row"] | undefined;
  machine: ServiceSettings["machine"];
  unit: "replica" | "set" = "replica";
  /** Its environment: another revision, and whether that is elsewhere. */
  spot = "here";
  environmentRevision = 1;
  problem: string | null = null;
  /** Runner → what it has. */
  readonly runners = new Map<string, Map<string, Kept>>([
    ["one", new Map()],
    ["two", new Map()],
  ]);
  /** Replicas that were begun and ended, in order; and the most that ran at once. */
  readonly begun: string[] = [];
  readonly stopped: string[] = [];
  most = 0;
  /** Starts do not end by themselves. */
  holds = false;
  /** What who looks at those that start is answered; undefined: nothing. */
  unwell: string | undefined;
  /** What becomes of the next starts. */
  readonly ends: string[] = [];
  readonly failures: ErrorData[] = [];
  readonly stopFailures: ErrorData[] = [];
  /** Steps that are carried out, and whose answers are lost. */
  readonly unanswered: StepOrder["do"][] = [];
  /** How long steps take, by the clock that the test moves; how many there were, and when the first of those under way is over. */
  startMs = 0;
  stopMs = 0;
  steps = 0;
  /** When it is to be rung next, as far as it was asked for. */
  alarmAt: number | undefined;
  /** As it is about to be stopped. */
  beforeStop: ((replica: string) => Promise<void>) | undefined;
  readonly says = new Map<string, boolean>();
  asked = 0;
  /** How often places were looked at. */
  looks = 0;
  beforeAnswer: (() => Promise<void>) | undefined;
  /** Runners that are asked say of what they have no more that it has ended. */
  saysGone = false;
  /** Transactions of the object so far, and around which of them it dies. */
  writes = 0;
  dieBefore: number | undefined;
  dieAfter: number | undefined;
  #underWay = 0;
  readonly #takes = new Map<object, number>();
  readonly #stopping = new Set<string>();
  #revision = 0;
  #life = 0;

  constructor(fields: object = {}, machine: object | string = "hot_cold") {
    clock.now = START;
    this.machine = machineOf(machine);
    this.write(fields);
  }

  get service(): string {
    return `w${this.number}_service`;
  }

  get stub(): DurableObjectStub<ServiceObject> {
    const { SERVICES } = bindings as unknown as { SERVICES: DurableObjectNamespace<ServiceObject> };
    return SERVICES.getByName(this.service);
  }

  settings(): ServiceSettings | null {
    const { row, machine, unit, problem, environmentRevision } = this;
    if (row === undefined) return null;
    return { row, machine, unit, problem, environmentRevision, site: `${row.environment} ${this.spot}` };
  }

  write(fields: object = {}, machine?: object | string): void {
    this.#revision += 1;
    const { digest: _digest, ...before } = this.row ?? NEW;
    const manifest = v.parse(ServiceSchema, { ...before, ...fields, name: this.service });
    this.row = { ...manifest, digest: `digest-${this.#revision}` };
    if (machine !== undefined) this.machine = machineOf(machine);
  }

  /** As the write route does. */
  async put(fields: object = {}, machine?: object | string): Promise<void> {
    this.write(fields, machine);
    await this.changed();
  }

  /** Its environment is edited: another `spot` is another place. */
  async edit(spot = this.spot): Promise<void> {
    this.spot = spot;
    this.environmentRevision += 1;
    await this.changed();
  }

  async changed(): Promise<void> {
    await this.insist(() => this.stub.changed());
    await this.insist(() => this.stub.rest());
  }

  // What is called.

  /** One request's holder asks for a lease. */
  async acquire(more: Partial<HolderReport & { waitMs: number }> = {}): Promise<AcquireAnswer> {
    const text = JSON.stringify({ ...IDLE, waiting: 1, waitMs: 20_000, ...more });
    return JSON.parse(await this.insist(() => this.stub.acquire(text))) as AcquireAnswer;
  }

  async report(more: Partial<HolderReport> = {}): Promise<void> {
    await this.insist(async () => this.stub.report(JSON.stringify({ ...IDLE, ...more })));
  }

  async command(command: Command): Promise<ErrorData | undefined> {
    const text = await this.insist(() => this.stub.command(JSON.stringify(command)));
    return (JSON.parse(text) as { error?: ErrorData }).error;
  }

  async status(): Promise<ObjectStatus> {
    return JSON.parse((await this.insist(() => this.stub.status())) ?? "{}") as ObjectStatus;
  }

  async phases(): Promise<string[]> {
    return (await this.status()).replicas.map(({ phase }) => phase);
  }

  async events(): Promise<string[]> {
    return (await this.stub.rows("SELECT what FROM events ORDER BY seq")).map(({ what }) => what as string);
  }

  /** As a caller who was not answered asks again. */
  async insist<T>(ask: () => Promise<T>): Promise<T> {
    for (let deaths = 0; ; deaths++) {
      try {
        return await this.#orDeath(ask);
      } catch (error) {
        if (deaths === 3 || !/killed by the test|a write failed/.test(String(error))) throw error;
      }
    }
  }

  /** Time passes until then; deaths are survived, as by the runtime, which rings again since the handler did not end. */
  async until(time: number): Promise<void> {
    for (let deaths = 0; deaths < 10; deaths++) {
      try {
        await this.#orDeath(() => this.stub.ringUntil(time));
        return;
      } catch (error) {
        if (!/killed by the test|a write failed/.test(String(error))) throw error;
        clock.now = Math.min(clock.now, time);
        await this.rest();
      }
    }
    throw new Error("the object dies again and again");
  }

  /** On a busy machine the runtime may leave who asks an object that dies without an answer. */
  async #orDeath<T>(ask: () => Promise<T>): Promise<T> {
    const life = this.#life;
    const answered = new AbortController();
    const death = async (): Promise<never> => {
      for (let ms = 0; ms < 500 && !answered.signal.aborted; ms++) {
        await scheduler.wait(1);
        // It has not died, or what its death answers is on its way.
        if (this.#life === life) ms = 0;
      }
      throw new Error("killed by the test, and nobody was told");
    };
    try {
      return await Promise.race([ask(), death()]);
    } finally {
      answered.abort();
    }
  }

  pass(ms: number): Promise<void> {
    return this.until(clock.now + ms);
  }

  /** Memory is gone, tables are there. */
  async restart(): Promise<void> {
    await this.#orDeath(() => this.stub.kill()).catch(() => undefined);
  }

  // What runs.

  running(): Kept[] {
    return [...this.runners.values()].flatMap((runner) => Array.from(runner.values()));
  }

  /** A runner tells, as its pool passes it on. */
  async tell(place: string): Promise<void> {
    const replicas = [...(this.runners.get(place)?.values() ?? [])];
    await this.reported(place, replicas);
    for (const { replica, status } of replicas) if (status === "ended") this.runners.get(place)?.delete(replica);
  }

  async lose(place: string, lost = "it went silent"): Promise<void> {
    await this.reported(place, [], lost);
  }

  /** One that runs comes to be otherwise, and its runner tells. */
  async become(replica: string, change: Partial<ReplicaReport>): Promise<void> {
    for (const [place, runner] of this.runners) {
      const kept = runner.get(replica);
      if (kept === undefined) continue;
      runner.set(replica, { ...kept, ...change });
      await this.tell(place);
    }
  }

  /** Whatever its runner has by now. */
  async reported(place: string, replicas: readonly ReplicaReport[], lost: string | null = null): Promise<void> {
    const report: PoolReport = { environment: "own", place, replicas, lost };
    await this.insist(async () => this.stub.reported(JSON.stringify(report)));
    await this.insist(() => this.stub.rest());
  }

  get dueAt(): number {
    return Math.min(...this.#takes.values());
  }

  /** Something is on its way that needs no time to pass. */
  isDue(): boolean {
    return this.#underWay > [...this.#takes.values()].filter((at) => at > clock.now).length;
  }

  /** What a request that comes now meets. */
  is(): "ready" | "starting" | "stopping" | "nothing" {
    const running = this.running();
    if (running.some(({ status }) => status === "ready")) return "ready";
    if (running.length > 0) return "starting";
    return this.#stopping.size > 0 ? "stopping" : "nothing";
  }

  async ring(): Promise<void> {
    await this.stub.ring();
  }

  /** Only waits for what the test's own hand moves; no promise of another context's may be waited for. */
  async #take(ms: number): Promise<void> {
    const step = {};
    this.#takes.set(step, clock.now + ms);
    for (const until = clock.now + ms; clock.now < until;) await scheduler.wait(20);
    this.#takes.delete(step);
  }

  async step(order: StepOrder): Promise<StepAnswer> {
    this.steps += 1;
    const answer = await this.#carryOut(order);
    if (this.unanswered[0] !== order.do) return answer;
    this.unanswered.shift();
    throw new Error("the answer of a step was lost, by the test");
  }

  async #carryOut(order: StepOrder): Promise<StepAnswer> {
    switch (order.do) {
      case "start":
        return this.#start(order);
      case "stop": {
        const failure = this.stopFailures.shift();
        if (failure !== undefined) return { kind: "failed", error: failure, again: true };
        await this.beforeStop?.(order.replica);
        for (const runner of this.runners.values()) {
          if (runner.delete(order.replica)) this.stopped.push(order.replica);
        }
        this.#stopping.add(order.replica);
        if (this.stopMs > 0) await this.#take(this.stopMs);
        this.#stopping.delete(order.replica);
        return { kind: "stopped" };
      }
      case "observe": {
        this.looks += 1;
        const named = new Set(order.replicas.map(({ replica }) => replica));
        const running = this.running().filter(({ replica }) => named.has(replica));
        for (const { replica } of running) named.delete(replica);
        const gone = this.saysGone ? [...named].map((replica) => goneReport(this.service, replica)) : [];
        const told = running.map((report) => this.#seen(report));
        return { kind: "observed", reports: [...told, ...gone] };
      }
    }
  }

  async #start(order: StepOrder & { do: "start" }): Promise<StepAnswer> {
    const { replica, revision, count } = order;
    const failure = this.failures.shift();
    if (failure !== undefined) return { kind: "failed", error: failure, again: true };
    // A set is with none of a place's members.
    const place = this.unit === "set" ? "" : (order.place ?? this.#emptiest());
    const life = this.#life;
    if (!(await this.stub.placed(replica, { environment: order.environment, place }))) {
      return { kind: "failed", error: errorOf("command_refused"), again: false };
    }
    const runner = this.runners.get(place === "" ? "one" : place);
    if (runner === undefined) return { kind: "failed", error: errorOf("environment_unavailable"), again: true };
    if (!runner.has(replica)) this.begun.push(replica);
    const ended = this.ends.shift();
    const report: Kept = {
      replica,
      service: this.service,
      revision,
      place,
      status: ended === undefined ? "ready" : "ended",
      address: null,
      cpu: null,
      count,
      ready: count,
      ended: ended ?? null,
      lines: ended === undefined ? [] : ["a last line"],
      begunAt: clock.now,
    };
    if (ended === undefined) runner.set(replica, { ...report, status: this.holds ? "starting" : "ready" });
    this.most = Math.max(this.most, this.running().length);
    if (this.startMs > 0 && ended === undefined) {
      runner.set(replica, { ...report, status: "starting" });
      await this.#take(this.startMs);
      if (!runner.has(replica)) return { kind: "started", report: { ...report, status: "ended", ended: "stopped" } };
      runner.set(replica, report);
    }
    if (this.holds) {
      this.#underWay -= 1;
      // No promise of another object's may be waited for.
      for (let ms = 0; ms < 5_000 && this.holds && runner.has(replica); ms++) await scheduler.wait(1);
      if (life === this.#life) this.#underWay += 1;
      const kept = runner.get(replica);
      if (kept === undefined)
        return { kind: "started", report: { ...report, status: "ended", ended: "it was stopped" } };
      runner.set(replica, { ...kept, status: "ready" });
    }
    return { kind: "started", report };
  }

  #seen(report: ReplicaReport): ReplicaReport {
    if (this.unwell === undefined || report.status !== "starting") return report;
    return { ...report, status: "unready", address: "http://far", lines: [this.unwell] };
  }

  #emptiest(): string {
    const [first] = [...this.runners].toSorted(([, a], [, b]) => a.size - b.size);
    return first?.[0] ?? "none";
  }

  /** Starts that are held come to their end. */
  async release(): Promise<void> {
    this.holds = false;
    await scheduler.wait(5);
    await this.rest();
    await this.stub.rest();
  }

  /** With an object ends what it was asked for: the runtime lets go of it in the middle. */
  forget(): void {
    this.#life += 1;
    this.#underWay = 0;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    const life = this.#life;
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      if (life === this.#life) this.#underWay -= 1;
    }
  }

  /** Nothing is on its way any more, but what is held. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.#underWay === 0 ? quiet + 1 : 0) await scheduler.wait(1);
  }
}

const NEW: Record<string, unknown> = { environment: "own", run: { process: { command: ["serve"] } } };
const IDLE: HolderReport = { holder: "h", waiting: 0, inFlight: {}, begun: 0, idleMs: 0, broken: {} };

function machineOf(machine: object | string): ServiceSettings["machine"] {
  const found = typeof machine === "string" ? READY_MADE.find(({ name }) => name === machine) : machine;
  return { ...v.parse(StateMachineSchema, { name: "own", ...found }), digest: JSON.stringify(found) };
}

export function errorOf(code: ErrorCode): ErrorData {
  return { code, detail: "it failed" };
}

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;

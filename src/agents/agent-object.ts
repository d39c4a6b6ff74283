/**
 * One agent at work: a Durable Object that sleeps while nothing is to be done. It decides (decide.ts) and remembers
 * (_reckoning.ts, _agent-store.ts); plans are made, steps carried out and sensors read by stateless invocations (AgentRunner).
 *
 * - What a step is given is written before it is started, its end and what it makes of the state in one transaction.
 * - Whoever starts a step again, this object or the next, starts it under the same key: it runs once.
 * - Memory holds only who is on the way. What was on the way when the object ended is asked for again.
 */
import { DurableObject, exports } from "cloudflare:workers";
import { inPieces } from "../core/pieces.ts";
import type { AgentPhase } from "../model/agent-states.ts";
import { Alarm } from "../objects/alarm.ts";
import { LatestTime } from "../objects/latest-time.ts";
import { News } from "../objects/news.ts";
import type { Json, Value } from "../planner/index.ts";
import { AgentStore, type Head, type StepRow } from "./_agent-store.ts";
import { Reckoning } from "./_reckoning.ts";
import { isAttentive, Sensors } from "./_sensors.ts";
import { decide } from "./decide.ts";
import type { AgentEvent } from "./port.ts";
import type {
  AgentSettings,
  LookAnswer,
  PlanAnswer,
  PlanOrder,
  SenseAnswer,
  SenseOrder,
  StepAnswer,
  StepOrder,
} from "./messages.ts";

/** Steps of one message to a runner. */
const TOGETHER = 16;
/** Until whoever was lost is made up for: a runner that failed, a registry that did not answer. */
const AGAIN_MS = 1_000;
/** It looks by itself, should nobody have rung. */
const LEASE_MS = 60_000;
const EVENTS_AT_ONCE = 100;
const THROWN_AWAY = 3;

type Loopback = {
  AgentRunner: {
    look(agent: string): Promise<string>;
    plan(text: string): Promise<string>;
    run(agent: string, text: string): Promise<void>;
    sense(text: string): Promise<string>;
    cancel(text: string): Promise<void>;
  };
};

export type AgentStatus = {
  phase: AgentPhase;
  reason: string | null;
  since: number;
  active: boolean;
  target: Value;
  state: Value;
  seek: number;
  plan: number;
  failures: number;
  next: number | null;
  unmet: Head["unmet"];
  sensorError: Head["sensorError"];
  steps: StepRow[];
  event: number;
};

export class AgentObject extends DurableObject<unknown> {
  readonly #store: AgentStore;
  readonly #reckoning: Reckoning;
  readonly #alarm: Alarm;
  readonly #news = new News();
  readonly #sensors: Sensors;
  /** Steps that somebody was asked about. */
  readonly #asked = new Map<string, symbol>();
  readonly #latest = new LatestTime();
  #planning = false;
  /** Plans in a row that were for a state that was another by then. */
  #thrownAway = 0;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.#store = new AgentStore(state.storage.sql);
    this.#reckoning = new Reckoning(this.#store);
    this.#sensors = new Sensors(this.#store);
    this.#alarm = new Alarm(state.storage);
    void state.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      const head = this.#store.head();
      // Somebody may have been on the way when the one before ended.
      if (head !== undefined && (head.phase === "planning" || head.phase === "running")) this.#alarm.by(Date.now());
      await this.#alarm.flush();
    });
  }

  /** The target in place of the one before. `cancel`: what runs for that one is cancelled. Answers its number and the last event. */
  seek(text: string): string {
    const { settings, target, cancel } = JSON.parse(text) as { settings: AgentSettings; target: Json; cancel: boolean };
    return this.#write((now) => {
      const head = this.#reckoning.seek(this.#reckoning.begun(settings, now), target, now);
      if (cancel) this.#cancelStarted();
      return JSON.stringify({ seek: head.seek, event: this.#store.lastEvent() });
    });
  }

  stop(cancel: boolean): void {
    if (this.#store.head() === undefined) return;
    this.#write((now) => {
      this.#reckoning.stop(this.#head(), now);
      if (cancel) this.#cancelStarted();
    });
  }

  /** Somebody has seen a value there; none: that nothing is there. */
  sense(text: string): void {
    const { settings, path, value } = JSON.parse(text) as { settings: AgentSettings; path: string; value?: Json };
    this.#write((now) => {
      const head = this.#reckoning.begun(settings, now);
      this.#reckoning.sense(head, [value === undefined ? { path } : { path, value }], now);
    });
  }

  /** The row, or one of its jobs, may be another. */
  async changed(): Promise<void> {
    if (this.#store.head() === undefined) return;
    const { AgentRunner: runner } = exports as unknown as Loopback;
    const { settings } = JSON.parse(await runner.look(this.#name())) as LookAnswer;
    this.#adopt(settings, (head) => (head.phase === "unreachable" ? this.#reckoning.rethink(head) : head));
  }

  /** See cli/dev/clock-watch.ts. `was`: what time it would be. */
  clockWasSet(was: number): void {
    this.#latest.note(was);
    if (this.#store.head() !== undefined) this.#write((now) => this.#alarm.by(now));
  }

  /** undefined: it has never been set a target, or told anything. */
  status(): string | undefined {
    const head = this.#store.head();
    if (head === undefined) return undefined;
    const { phase, reason, since, target, seek, plan, failures, notBefore, unmet, settings, sensorError } = head;
    const waits = phase === "waiting" || phase === "unreachable";
    const status: AgentStatus = {
      phase,
      reason,
      since,
      active: settings.active,
      target,
      state: this.#store.state(),
      seek,
      plan,
      failures,
      next: waits && settings.active ? notBefore : null,
      unmet,
      sensorError,
      steps: this.#store.steps(),
      event: this.#store.lastEvent(),
    };
    return JSON.stringify(status);
  }

  state(): string | undefined {
    return this.#store.head() === undefined ? undefined : JSON.stringify({ value: this.#store.state() });
  }

  /** Events after the one; waits for the next where there are none, until the agent is deleted. */
  async watch(after: number, waitMs: number): Promise<AgentEvent[]> {
    const wasThere = this.#store.head() !== undefined;
    for (let leftMs = waitMs; ; leftMs = await this.#news.next("events", leftMs)) {
      const events = this.#store.events(after, EVENTS_AT_ONCE);
      if (events.length > 0 || leftMs <= 0) return events;
      if (wasThere && this.#store.head() === undefined) return [];
    }
  }

  /** A runner tells what has become of a step, JSON of StepAnswer. */
  took(text: string): void {
    if (this.#store.head() === undefined) return;
    const answer = JSON.parse(text) as StepAnswer;
    this.#write((now) => {
      if (answer.kind === "unknown") this.#asked.delete(keyOf(answer));
      this.#reckoning.took(this.#head(), answer, now);
    });
  }

  override async alarm(): Promise<void> {
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      this.#alarm.fired(Date.now());
      if (this.#store.head() !== undefined) this.#write(() => undefined);
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: `agents: alarm: ${String(error)}` }));
      this.#alarm.by(Date.now() + AGAIN_MS);
    } finally {
      await this.#alarm.flush();
    }
  }

  /** Carries out what is decided, again and again until nothing is left to do now. Within the transaction of what changed. */
  #move(now: number): void {
    for (let turns = 0; turns < 8; turns++) {
      const head = this.#head();
      const steps = this.#store.progress();
      const { active, retry } = head.settings;
      const failures = Math.max(head.failures, head.undone);
      const known = { ...head, failures, active, hasTarget: head.target !== undefined, steps };
      const decision = decide(known, retry, now);
      switch (decision.do) {
        case "nothing":
          return this.#ask(now);
        case "wait":
          this.#reckoning.enter(head, "waiting", decision.until === null ? decision.reason : head.reason, now);
          return this.#ask(now);
        case "stop":
          this.#reckoning.enter(head, "stopped", null, now);
          continue;
        case "give_up":
          this.#reckoning.giveUp(head, now);
          continue;
        case "plan":
          this.#reckoning.enter(head, "planning", null, now);
          return this.#plan(now);
        case "start":
          for (const id of decision.steps) this.#reckoning.start(id, now);
          this.#ask(now, new Set(decision.steps));
          // Only one that was given too much has ended.
          if (!this.#head().replan) return;
      }
    }
  }

  #plan(now: number): void {
    if (this.#planning) return;
    const head = this.#head();
    this.#planning = true;
    const order: PlanOrder = {
      agent: this.#name(),
      state: this.#store.state(),
      target: head.target,
      sensors: this.#sensors.take(head, now),
    };
    this.#send(async (runner) => {
      let answer: PlanAnswer;
      try {
        answer = JSON.parse(await runner.plan(JSON.stringify(order))) as PlanAnswer;
      } finally {
        this.#planning = false;
      }
      this.#adopt(answer.settings, (current, at) => {
        if (current.phase !== "planning") return;
        // Made for another target, or from a state that is another by now.
        const isWanted = current.seek === head.seek && current.intent === "seek";
        const isSame = current.version === head.version;
        const outlived = isSame || this.#reckoning.outlived(order, answer);
        // Where the state never stands still, somebody who waits must hear that no way was seen, and not only by the end.
        const holds = isWanted && (outlived || (this.#thrownAway >= THROWN_AWAY && answer.plan?.reached === false));
        this.#thrownAway = outlived ? 0 : this.#thrownAway + 1;
        const after = this.#reckoning.planned(current, holds ? answer : outdated(answer), at);
        if (!isSame && after.phase === "unreachable") this.#reckoning.lookAgain(after);
      });
    });
  }

  /** Asks about steps that are under way and nobody is asked about, and reads sensors that are due. */
  #ask(now: number, fresh: ReadonlySet<number> = new Set()): void {
    const head = this.#head();
    const orders: StepOrder[] = [];
    const token = Symbol("a message");
    for (const id of this.#store.startedIds(now)) {
      const place = keyOf({ plan: head.plan, step: id });
      if (this.#asked.has(place)) continue;
      const row = this.#store.step(id);
      const job = row === undefined ? undefined : this.#store.job(row.step.job);
      if (job === undefined || row === undefined || row.data === null) continue;
      this.#asked.set(place, token);
      const key = `${this.#name()} ${head.life} ${head.plan} ${row.id}`;
      orders.push({
        agent: this.#name(),
        plan: head.plan,
        step: row.id,
        key,
        job,
        data: row.data,
        execution: row.execution,
        isFirst: fresh.has(row.id),
      });
    }
    for (const group of inPieces(orders, () => 1, TOGETHER)) this.#run(group, token);
    this.#readSensors(head, now);
  }

  #run(orders: readonly StepOrder[], token: symbol): void {
    this.#send(async (runner) => {
      try {
        await runner.run(this.#name(), JSON.stringify(orders));
      } finally {
        for (const place of orders.map(keyOf)) if (this.#asked.get(place) === token) this.#asked.delete(place);
      }
    });
  }

  #readSensors(head: Head, now: number): void {
    const paths = isAttentive(head) ? this.#sensors.take(head, now) : [];
    if (paths.length === 0) return;
    const order: SenseOrder = { agent: this.#name(), sensors: paths };
    this.#send(async (runner) => {
      const read = await this.#sensors.during(paths, () => runner.sense(JSON.stringify(order)));
      const answer = JSON.parse(read) as SenseAnswer;
      this.#adopt(answer.settings, (current, at) => {
        this.#reckoning.polled(current, answer.sensed, at);
      });
    });
  }

  #cancelStarted(): void {
    const ids = this.#store.started().flatMap(({ execution }) => execution ?? []);
    if (ids.length > 0) this.#send((runner) => runner.cancel(JSON.stringify(ids)));
  }

  /** A message to a stateless invocation. It leaves when what was written so far is on disk; what fails is asked again later. */
  #send(work: (runner: Loopback["AgentRunner"]) => Promise<void>): void {
    const { AgentRunner: runner } = exports as unknown as Loopback;
    void (async () => {
      try {
        await work(runner);
        this.#write(() => undefined);
      } catch (error) {
        console.error(JSON.stringify({ level: "warn", message: `agents: a runner was lost: ${String(error)}` }));
        this.#alarm.by(Date.now() + AGAIN_MS);
        this.#alarm.set();
      }
    })();
  }

  /** Writes what the row says now, and what else is to be written. Where the row is gone everything goes with it. */
  #adopt(settings: AgentSettings | null | undefined, work: (head: Head, now: number) => unknown): void {
    if (this.#store.head() === undefined) return;
    this.#write((now) => {
      if (settings === null) return this.#store.forget();
      const head = this.#head();
      work(settings === undefined ? head : this.#reckoning.adopt(head, settings), now);
    });
  }

  #armForNext(now: number): void {
    const head = this.#store.head();
    if (head === undefined) return;
    const { phase, settings, notBefore } = head;
    if (phase === "planning" || phase === "running") this.#alarm.by(now + LEASE_MS);
    if (settings.active && (phase === "waiting" || phase === "unreachable")) this.#alarm.by(Math.max(now, notBefore));
    const retryAt = this.#store.nextRetryAt();
    if (retryAt !== undefined) this.#alarm.by(Math.max(now, retryAt));
    const next = this.#sensors.nextAt(head, now);
    if (next !== undefined) this.#alarm.by(next);
  }

  #head(): Head {
    const head = this.#store.head();
    if (head === undefined) throw new TypeError("an agent must have been begun");
    return head;
  }

  #name(): string {
    return this.ctx.id.name ?? "";
  }

  /** All of it or nothing, and what follows from it. What fails leaves memory and tables apart: another object begins. */
  #write<Result>(work: (now: number) => Result): Result {
    try {
      const now = Date.now();
      const before = this.#store.lastEvent();
      const known = this.#store.head();
      const isPutBack = this.#latest.putBackMs(now, known?.since) > 0;
      const result = this.ctx.storage.transactionSync(() => {
        if (isPutBack && known !== undefined) this.#reckoning.putBack(known, now);
        const done = work(now);
        if (this.#store.head() !== undefined) this.#move(now);
        return done;
      });
      this.#armForNext(now);
      this.#alarm.set();
      if (this.#store.lastEvent() !== before) this.#news.tell("events");
      return result;
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: `agents: cannot write: ${String(error)}` }));
      this.ctx.abort(`a write failed: ${String(error)}`);
      throw error;
    }
  }
}

/** Steps of different plans have the same numbers. */
function keyOf({ plan, step }: { plan: number; step: number }): string {
  return `${plan} ${step}`;
}

/** What sensors saw counts in any case. */
function outdated({ plan: _plan, refusal: _refusal, ...rest }: PlanAnswer): PlanAnswer {
  return rest;
}

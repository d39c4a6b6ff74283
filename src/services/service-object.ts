/**
 * One service: a Durable Object that knows its replicas, who may send requests to them, and where its state machine stands. It sleeps
 * while nothing is to be decided. It decides (drive.ts, plan-replicas.ts) and remembers (_ledger.ts, _service-store.ts); steps are
 * carried out by stateless invocations (ServiceRunner).
 *
 * - A replica's name is written before anybody is asked to start it, and kept until it is known to be gone: asked for twice it runs once.
 * - Memory holds who may send (_holders.ts) and who is on the way. What was on the way when the object ended is asked for again.
 * - One that is to go gets no new leases, and is stopped when those that had it are over and its requests have ended.
 */
import { DurableObject, exports } from "cloudflare:workers";
import type { Ask } from "../machines/evaluate.ts";
import { Alarm } from "../objects/alarm.ts";
import { LatestTime } from "../objects/latest-time.ts";
import { News } from "../objects/news.ts";
import { createAsk } from "./_asking.ts";
import { direct, type Directing } from "./_commands.ts";
import { complain } from "./_complain.ts";
import { hurried, NO_CRASHES, steadyAt } from "./_crashes.ts";
import { Errands } from "./_errands.ts";
import { factsOf, isServing } from "./_facts.ts";
import { Holders } from "./_holders.ts";
import type { Head, Replica } from "./_kept.ts";
import { Ledger } from "./_ledger.ts";
import { movesNow, planNow, releasedAt, write } from "./_moves.ts";
import { noService, refusalOf } from "./_refusals.ts";
import { RowReader } from "./_row-reader.ts";
import { ServiceStore } from "./_service-store.ts";
import { statusOf } from "./_status.ts";
import { lastLook, startsUntil, wantedCount } from "./_wanted.ts";
import { drive, lookAgainAt, type Driven, type Situation, type Way } from "./drive.ts";
import {
  LEASE_TTL_MS,
  type AcquireAnswer,
  type AcquireOrder,
  type Command,
  type HolderReport,
  type LeasedReplica,
} from "./messages.ts";

/** Until whoever was lost is made up for: a runner that failed, a registry that did not answer. */
const AGAIN_MS = 1_000;
/** It looks by itself while steps are under way, should nobody come back from them. */
const STEPS_MS = 60_000;
/** In one go; whatever is still not settled then goes on a little later. */
const TURNS = 32;
/** Idle for so long, that is written down: this object may be put to sleep. */
const IDLE_NOTE_MS = 5_000;
/** The last ones, in the status. */
const EVENTS_SHOWN = 50;
/** To who watches, in one answer. */
const EVENTS_AT_ONCE = 100;

type Loopback = {
  ServiceRunner: {
    look(service: string): Promise<string>;
    step(text: string): Promise<string>;
    ask(text: string): Promise<string>;
  };
};

export class ServiceObject extends DurableObject<unknown> {
  readonly #store: ServiceStore;
  readonly #ledger: Ledger;
  readonly #alarm: Alarm;
  readonly #news = new News();
  #holders = new Holders(Date.now());
  readonly #ask: Ask;
  readonly #errands: Errands;
  readonly #rows: RowReader;
  #next: readonly Way[] = [];
  #thinking: Promise<void> | undefined;
  #isRestless = false;
  readonly #latest = new LatestTime();

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.#store = new ServiceStore(state.storage.sql);
    this.#ledger = new Ledger(this.#store);
    this.#alarm = new Alarm(state.storage);
    const name = () => this.#name();
    this.#ask = createAsk({
      name,
      facts: () => this.#facts(this.#head(), Date.now()),
      operation: (text) => this.#runner.ask(text),
      late: () => this.#kick(),
    });
    const shared = {
      name,
      store: this.#store,
      ledger: this.#ledger,
      write: (work: (now: number) => unknown) => this.#write(work),
      runner: () => this.#runner,
    };
    this.#errands = new Errands({ ...shared, think: () => this.#think() }, Date.now());
    this.#rows = new RowReader(shared);
    void state.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      // Somebody may have been on the way when the one before ended.
      if (this.#store.replicas().some(({ step }) => step !== null)) this.#alarm.by(Date.now());
      await this.#alarm.flush();
    });
  }

  /** A lease for who reports, AcquireOrder → AcquireAnswer. Waits until a replica is ready, or it is of no use to wait. */
  async acquire(text: string): Promise<string> {
    const order = JSON.parse(text) as AcquireOrder;
    const failed = this.#store.head() === undefined ? await this.#rows.look() : undefined;
    if (failed !== undefined) return JSON.stringify({ kind: "refused", error: failed } satisfies AcquireAnswer);
    this.#heard(order);
    // Also one that is refused is a request.
    if (this.#head().idleSince !== null) this.#write(() => this.#store.setHead({ ...this.#head(), idleSince: null }));
    const crashes = hurried(this.#store.head()?.crashes ?? NO_CRASHES, Date.now());
    if (crashes !== undefined) this.#write(() => this.#store.setHead({ ...this.#head(), crashes }));
    let answer = this.#answer(order.holder);
    if (answer === undefined) {
      // Whoever asks waits, whatever it has counted.
      this.#holders.heard({ ...order, waiting: Math.max(1, order.waiting), begun: 0 }, Date.now());
      if (this.#rows.isDue(Date.now())) void this.#rows.look().then(() => this.#think());
      this.#holders.asks(order.holder, 1, Date.now());
      for (let leftMs = order.waitMs; answer === undefined && leftMs > 0;) {
        this.#kick();
        leftMs = await this.#news.next("replicas", leftMs);
        answer = this.#answer(order.holder);
      }
      this.#holders.asks(order.holder, -1, Date.now());
    }
    this.#kick();
    return JSON.stringify(answer ?? this.#warming(order.holder));
  }

  /** HolderReport: how busy it is. */
  report(text: string): void {
    this.#heard(JSON.parse(text) as HolderReport);
    this.#kick();
  }

  /** PoolReport: what a runner has of this service now, or that it is lost. */
  reported(text: string): void {
    this.#errands.reported(text);
  }

  /** The row, its state machine or its environment may be another. */
  async changed(): Promise<void> {
    const error = await this.#rows.look(true);
    if (error !== undefined && this.#store.head() !== undefined) this.#alarm.by(Date.now() + AGAIN_MS);
    this.#alarm.set();
    // What is asked of operations may take its time, and whoever wrote the row waits for this.
    this.#kick();
  }

  /** See cli/dev/clock-watch.ts. `was`: what time it would be. */
  clockWasSet(was: number): void {
    this.#latest.note(was);
    this.#alarm.by(Date.now());
    this.#kick();
  }

  /** Where one that is being started is to be. false: it is not wanted, or not there, and must not be started. */
  placed(replica: string, { environment, place }: { environment: string; place: string }): boolean {
    const known = this.#store.replica(replica);
    if (known?.step !== "start" || (known.place !== "" && known.place !== place)) return false;
    if (known.environment !== environment) return false;
    if (known.place !== place) this.#write(() => this.#store.setReplica({ ...known, place }));
    return true;
  }

  /** Where those replicas are in an environment, whatever somebody says: what is not known there is left out. */
  whereabouts(environment: string, replicas: readonly string[]): LeasedReplica[] {
    return this.#store
      .replicas()
      .filter((known) => known.environment === environment && replicas.includes(known.replica))
      .map((each) => this.#refTo(each));
  }

  /** Command → JSON of `{error?}`. */
  async command(text: string): Promise<string> {
    const error = (await this.#rows.look(true)) ?? (await direct(JSON.parse(text) as Command, this.#directing()));
    return JSON.stringify(error === undefined ? {} : { error });
  }

  /** ServiceStatusView but for its exposures; undefined: there is no such service. */
  async status(): Promise<string | undefined> {
    if (this.#store.head() === undefined) await this.#rows.look();
    const head = this.#store.head();
    if (head === undefined) return undefined;
    const now = Date.now();
    const facts = this.#facts(head, now);
    const replicas = this.#store.replicas();
    const events = this.#store.events(this.#store.lastEvent() - EVENTS_SHOWN, EVENTS_SHOWN);
    const { sentences: plan } = planNow(this.#store);
    const next = await this.#waysNow(this.#situation(head, now));
    return JSON.stringify(statusOf({ head, replicas, events, holders: this.#holders, facts, next, plan }));
  }

  /** By the facts of now. What operations and expressions have a say in is as it was last: to look is no reason to ask them. */
  async #waysNow(situation: Situation | undefined): Promise<readonly Way[]> {
    if (situation === undefined) return this.#next;
    let isAsked = false;
    const { next } = await drive(situation, async () => {
      isAsked = true;
      return undefined;
    });
    return isAsked ? this.#next : next;
  }

  /**
   * Events after the one, as JSON; waits for the next where there are none and the service is there, as it is once its status was asked
   * for. Who watches is nobody who waits for a replica: it moves nothing.
   */
  async watch(after: number, waitMs: number): Promise<string> {
    for (let leftMs = waitMs; ; leftMs = await this.#news.next("replicas", leftMs)) {
      const events = this.#store.events(after, EVENTS_AT_ONCE);
      const isGone = this.#store.head() === undefined;
      if (events.length > 0 || leftMs <= 0 || isGone) return JSON.stringify(events);
    }
  }

  override async alarm(): Promise<void> {
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      const now = Date.now();
      if (this.#alarm.fired(now) > 0) this.#beginAnew(now);
      await this.#think();
    } catch (error) {
      complain("alarm", error);
      this.#alarm.by(Date.now() + AGAIN_MS);
    } finally {
      await this.#alarm.flush();
    }
  }

  #heard(report: HolderReport): void {
    const now = Date.now();
    this.#holders.heard(report, now);
    // A look at once, by whoever can tell.
    for (const name of Object.keys(report.broken)) this.#errands.doubt(name, now);
  }

  #answer(holder: string): AcquireAnswer | undefined {
    const head = this.#store.head();
    const now = Date.now();
    if (head === undefined) return { kind: "refused", error: noService(this.#name()) };
    const replicas = this.#store.replicas();
    const ready = replicas.filter(({ phase }) => phase === "ready");
    const serving = ready.filter(isServing);
    // What is broken may still answer, and nothing else does.
    const leased = serving.length > 0 ? serving : ready;
    if (leased.length > 0 && head.settings.row.active && !head.isGone) {
      this.#holders.answered(holder);
      this.#holders.lease(
        leased.map(({ replica }) => replica),
        now,
      );
      return { kind: "lease", ttlMs: LEASE_TTL_MS, replicas: leased.map((each) => this.#refTo(each)) };
    }
    const error = refusalOf(head, { isStarting: replicas.some(({ phase }) => phase === "starting"), now });
    if (error === undefined) return undefined;
    this.#holders.answered(holder);
    return { kind: "refused", error };
  }

  #refTo({ replica, place, address, environment, environmentRevision }: Replica): LeasedReplica {
    return { service: this.#name(), replica, place, address, environment, environmentRevision };
  }

  #warming(holder: string): AcquireAnswer {
    const head = this.#store.head();
    const look = head && this.#store.replicas().flatMap((replica) => lastLook(head, replica) ?? [])[0];
    const reason =
      look === undefined
        ? (head?.crashes.reason ?? "no replica is ready yet")
        : `the last look at ${look.address} was answered: ${look.answer}`;
    return { kind: "warming", reason, elsewhere: this.#holders.waiting(Date.now(), holder) };
  }

  #kick(): void {
    void this.#think();
  }

  /** Until nothing is left to do now: one at a time, whoever comes in between is heeded. Never throws. */
  #think(): Promise<void> {
    this.#isRestless = true;
    return (this.#thinking ??= this.#thinkOn());
  }

  async #thinkOn(): Promise<void> {
    try {
      for (let turn = 0, goesOn = true; goesOn; turn++) {
        this.#isRestless = false;
        goesOn = (await this.#turn()) || this.#isRestless;
        if (turn < TURNS) continue;
        this.#alarm.by(Date.now() + AGAIN_MS);
        break;
      }
    } catch (error) {
      complain("cannot decide", error);
      this.#alarm.by(Date.now() + AGAIN_MS);
    } finally {
      this.#thinking = undefined;
      this.#armForNext(Date.now());
      this.#alarm.set();
    }
  }

  /** Whether anything was changed by it. */
  async #turn(): Promise<boolean> {
    const head = this.#store.head();
    if (head === undefined) return false;
    const begunAt = Date.now();
    if (this.#isPutBack(head, begunAt)) return true;
    if (this.#alarm.isOverdue(begunAt)) {
      this.#beginAnew(begunAt);
      this.#alarm.set();
    }
    const situation = this.#situation(head, Date.now());
    const driven: Driven = situation === undefined ? { next: [] } : await drive(situation, this.#ask);
    const now = Date.now();
    const known = this.#store.head();
    if (known?.state !== head.state || known.since !== head.since || known.settings !== head.settings) return true;
    this.#next = driven.next;
    const { take } = driven;
    if (take !== undefined) {
      const because = driven.next.find(({ transition }) => transition.name === take.name)?.because ?? [];
      this.#write((at) => this.#ledger.take(this.#head(), take, because, at));
    }
    this.#keepHouse(now);
    const place = { store: this.#store, holders: this.#holders, ledger: this.#ledger };
    const moves = movesNow(place, now);
    if (moves.length > 0) this.#write((at) => moves.forEach((move) => write(move, place, at)));
    this.#errands.act(now);
    return take !== undefined || moves.length > 0;
  }

  /** The clock has jumped, or nobody could be heard of for long: what memory has noted by it says nothing. */
  #beginAnew(now: number): void {
    this.#holders = new Holders(now);
    this.#errands.beginAnew(now);
    this.#rows.beginAnew();
  }

  #isPutBack(head: Head, now: number): boolean {
    if (this.#latest.putBackMs(now, head.since) === 0) return false;
    this.#beginAnew(now);
    this.#write((at) => this.#ledger.putBack(head, at));
    return true;
  }

  /** What time alone brings about. */
  #keepHouse(now: number): void {
    const head = this.#store.head();
    if (head === undefined) return;
    const replicas = this.#store.replicas();
    if (head.isGone && replicas.length === 0) return this.#write(() => this.#store.forget());
    const forgivenAt = steadyAt(head.crashes, replicas);
    if (forgivenAt !== null && forgivenAt <= now)
      this.#write(() => this.#store.setHead({ ...this.#head(), crashes: NO_CRASHES }));
    const idleSince = this.#holders.idleSince(now);
    if (head.idleSince === null && idleSince !== undefined && now - idleSince >= IDLE_NOTE_MS) {
      this.#write(() => this.#store.setHead({ ...this.#head(), idleSince }));
    }
    for (const replica of replicas) {
      if (replica.phase === "starting" && now >= startsUntil(head, replica)) {
        const lines = replica.lines;
        const reason = `it was not healthy within ${head.settings.row.health.start_ms} ms`;
        this.#write((at) => {
          this.#ledger.failed(this.#head(), { reason, lines, error: null }, at);
          this.#ledger.phase(replica, "stopping", null, at);
        });
      }
    }
  }

  /** undefined: nothing may move it. */
  #situation(head: Head, now: number): Situation | undefined {
    const { machine, row } = head.settings;
    if (head.isGone || !row.active) return undefined;
    return { machine, state: head.state, since: head.since, taken: { ...head.taken }, facts: this.#facts(head, now) };
  }

  #facts(head: Head, now: number) {
    return factsOf({ head, replicas: this.#store.replicas(), holders: this.#holders, now });
  }

  #directing(): Directing {
    return {
      head: () => this.#head(),
      hasReady: () => this.#store.replicas().some(isServing),
      idleFrom: (now) => this.#holders.wanted(now),
      ledger: this.#ledger,
      write: (work) => this.#write(work),
      think: () => this.#think(),
    };
  }

  #armForNext(now: number): void {
    const head = this.#store.head();
    if (head === undefined) return;
    const replicas = this.#store.replicas();
    const times: (number | null | undefined)[] = [];
    const situation = this.#situation(head, now);
    if (situation !== undefined) times.push(lookAgainAt(situation));
    times.push(this.#holders.nextChange(), steadyAt(head.crashes, replicas));
    if (wantedCount(head) > 0 && now < head.crashes.nextAt) times.push(head.crashes.nextAt);
    const idleSince = this.#holders.idleSince(now);
    if (head.idleSince === null) {
      if (idleSince !== undefined) times.push(idleSince + IDLE_NOTE_MS);
      else if (now < this.#holders.knowsFrom) times.push(this.#holders.knowsFrom);
    }
    for (const replica of replicas) {
      if (replica.phase === "draining") times.push(releasedAt(replica, { head, holders: this.#holders }));
      if (replica.phase === "starting") times.push(startsUntil(head, replica));
      if (replica.step !== null) times.push(this.#errands.isAsked(replica) ? now + STEPS_MS : replica.stepAt);
    }
    times.push(this.#errands.observeAt(head));
    for (const time of times) if (time !== null && time !== undefined) this.#alarm.by(Math.max(now + 1, time));
  }

  get #runner(): Loopback["ServiceRunner"] {
    return (exports as unknown as Loopback).ServiceRunner;
  }

  #head(): Head {
    const head = this.#store.head();
    if (head === undefined) throw new TypeError("a service must have been begun");
    return head;
  }

  #name(): string {
    return this.ctx.id.name ?? "";
  }

  /** All of it or nothing. What fails leaves memory and tables apart: another object begins. */
  #write(work: (now: number) => unknown): void {
    try {
      const before = this.#store.lastEvent();
      const now = Date.now();
      this.ctx.storage.transactionSync(() => void work(now));
      // In the same turn, so that it is on disk with it.
      this.#armForNext(now);
      this.#alarm.set();
      if (this.#store.lastEvent() === before) return;
      this.#news.tell("replicas");
    } catch (error) {
      complain("cannot write", error);
      this.ctx.abort(`a write failed: ${String(error)}`);
      throw error;
    }
  }
}

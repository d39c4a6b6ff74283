/**
 * The clock of schedules: a Durable Object that sleeps between due times. It decides and remembers; whatever it decides is
 * carried out by stateless invocations (TriggerRunner). What it keeps true:
 *
 * - A due time is decided and written in one transaction, and only then is anybody told to start it.
 * - Whoever is told again, by this object or the next, starts it under the same key: see fire.ts.
 * - It learns of rows from the registry's change log, from where it last was; being told only says that it is time to look.
 *   Whenever it wakes and has not looked for a while it looks by itself, so a telling that is lost is made up for.
 */
import { DurableObject, exports } from "cloudflare:workers";
import { logError } from "../../core/log.ts";
import { LIMITS } from "../../core/limits.ts";
import { dueTimes, type DueTimes } from "../../model/due-times.ts";
import { Alarm } from "../../objects/alarm.ts";
import { LatestTime } from "../../objects/latest-time.ts";
import { again, backOff, decide, decideSome, type Known } from "./_decide.ts";
import { Store, type FiringRow, type Noted, type Ready } from "./_store.ts";
import type { ChangesAnswer, ChangesOrder, FireAnswer, FireOrder, ScheduleRow } from "./messages.ts";

/** Schedules decided in one transaction, and due times started by one message. */
const DECIDED_AT_ONCE = 500;
const STARTED_AT_ONCE = 250;
/** Of a crowd that is due at one moment, all are accepted before the first of them runs: the two share a processor. */
const CROWD_DELAY_MS = 4_000;
/** Messages on their way at once. */
const MESSAGES = 2;
/** Until somebody who was told to start something is taken for lost. */
const LEASE_MS = 30_000;
/** A look at the change log that nobody asked for, when the object is awake anyway. */
const LOOK_EVERY_MS = 10_000;
const LOOK_AGAIN_MS = 2_000;
/** The first may have been under way before the change. */
const LOOKS = 3;
/** What was told longer ago may have been started under a key that is forgotten by now. */
const KEY_LASTS_MS = LIMITS.idempotencyMs - 60 * 60_000;

type Loopback = { TriggerRunner: { fire(text: string): Promise<string>; schedules(text: string): Promise<string> } };

export type ScheduleSummary = ReturnType<Store["summaries"]>[number];

export class Scheduler extends DurableObject {
  readonly #store: Store;
  readonly #alarm: Alarm;
  readonly #times = new Map<string, DueTimes>();
  readonly #inFlight = new Set<number>();
  readonly #latest = new LatestTime();
  #messages = 0;
  #looking: Promise<void> | undefined;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#store = new Store(state.storage.sql);
    this.#alarm = new Alarm(state.storage);
    void state.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      // Whoever was starting something is nobody's any more.
      if (this.#store.release(Date.now())) this.#alarm.by(Date.now());
      this.#armForNext();
      await this.#alarm.flush();
    });
  }

  /** Rows have changed, up to this registry revision. Resolves when it is known what; throws when it cannot be. */
  async changed(revision: number): Promise<void> {
    for (let tries = 0; this.#store.looked().revision < revision; tries++) {
      if (tries === LOOKS) throw new Error(`the registry does not show its revision ${revision} yet`);
      await this.#look();
    }
  }

  /** Rows may have changed. */
  async look(): Promise<void> {
    await this.#look();
  }

  /** See cli/dev/clock-watch.ts. `was`: what time it would be. */
  clockWasSet(was: number): void {
    this.#latest.note(was);
    this.#write((now) => this.#alarm.by(now));
  }

  summaries(names: string[]): ScheduleSummary[] {
    return this.#store.summaries(names);
  }

  /** Newest first; undefined where there is no such schedule. `before`: the seq of the last one known. */
  history(name: string, options: { limit: number; before: number | undefined }): FiringRow[] | undefined {
    return this.#store.schedule(name) === undefined ? undefined : this.#store.history(name, options);
  }

  noteManual(name: string, firing: { at: number; execution: string | null }): void {
    this.#write(() => this.#store.addManual(name, firing));
  }

  /** Executions of schedules have ended: what waits for them need not ask. Of most nothing waits. */
  ended(ends: readonly { schedule: string; execution: string }[]): void {
    const waiting = this.#store.open([...new Set(ends.map(({ schedule }) => schedule))], this.#inFlight);
    const wanted = ends.filter(({ schedule }) => waiting.has(schedule));
    if (wanted.length === 0) return;
    this.#write((now) => {
      for (const { schedule, execution } of wanted) this.#store.ended(schedule, execution, now);
    });
    this.#pump();
  }

  override async alarm(): Promise<void> {
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      const now = Date.now();
      this.#alarm.fired(now);
      while (this.#decide(now)) {
        this.#pump();
        // What was decided leaves before the next are.
        await scheduler.wait(0);
      }
      this.#pump();
      const { at, behind } = this.#store.looked();
      if (behind || Math.abs(now - at) > LOOK_EVERY_MS) void this.#look().catch(() => undefined);
    } catch (error) {
      logError("schedules: alarm", error);
      this.#alarm.by(Date.now() + 1_000);
    } finally {
      this.#armForNext();
      await this.#alarm.flush();
    }
  }

  /** Decides what is due; answers whether there may be more. */
  #decide(now: number): boolean {
    const due = this.#store.due(now, DECIDED_AT_ONCE);
    if (due.length === 0) return false;
    return this.#write(() => {
      const open = this.#store.open(
        due.map(({ name }) => name),
        this.#inFlight,
      );
      const timesOf = (known: Known) => this.#timesOf(known);
      const decided = decideSome(due, open, { most: DECIDED_AT_ONCE, now, timesOf });
      this.#store.decide(decided, now);
      return decided.length < due.length || due.length === DECIDED_AT_ONCE;
    });
  }

  #pump(): void {
    while (this.#messages < MESSAGES) {
      const orders = this.#write((now) => this.#take(now));
      if (orders === undefined) return;
      if (orders.length > 0) void this.#send(orders);
    }
  }

  #take(now: number): { ready: Ready; order: FireOrder }[] | undefined {
    const ready = this.#store.take(now, STARTED_AT_ONCE, now + LEASE_MS);
    if (ready.length === 0) return undefined;
    const tooOld = ready.filter(({ sent_at: sentAt }) => sentAt !== null && now - sentAt > KEY_LASTS_MS);
    this.#store.note(
      tooOld.map((firing) =>
        failed(firing, "it may have been started before the platform went down, more than a day ago"),
      ),
      [],
    );
    const rest = ready.filter((firing) => !tooOld.includes(firing));
    const running = this.#store.running(rest.map(({ name }) => name));
    for (const { seq } of rest) this.#inFlight.add(seq);
    const crowd = ready.length === STARTED_AT_ONCE ? { delay_ms: CROWD_DELAY_MS } : {};
    return rest.map((each) => {
      const { seq, name, digest, due, spec } = each;
      const previous = running.get(name) ?? [];
      return { ready: each, order: { seq, name, digest, due, overlap: spec.overlap, previous, ...crowd } };
    });
  }

  /** One message to one stateless invocation. It leaves when what was written so far is on disk. */
  async #send(group: readonly { ready: Ready; order: FireOrder }[]): Promise<void> {
    this.#messages += 1;
    let answers: FireAnswer[] = [];
    let lost = "";
    try {
      const { TriggerRunner: runner } = exports as unknown as Loopback;
      answers = JSON.parse(await runner.fire(JSON.stringify(group.map(({ order }) => order)))) as FireAnswer[];
    } catch (error) {
      lost = `whoever was to start it was lost: ${String(error)}`;
    }
    this.#messages -= 1;
    const changed = answers.some(({ kind }) => kind === "changed");
    this.#write((now) => {
      const bySeq = new Map(answers.map((answer) => [answer.seq, answer]));
      const noted = group.map(({ ready }) => {
        this.#inFlight.delete(ready.seq);
        const answer = bySeq.get(ready.seq);
        if (answer === undefined) return tryAgain(ready, lost, now);
        return answer.kind === "changed" ? this.#overtaken(ready, now) : outcomeOf(ready, answer, now);
      });
      this.#store.note(
        noted,
        answers.flatMap(({ ended }) => ended),
      );
      if (changed) this.#store.noteBehind();
    });
    // What was decided by a row that is not in force any more is decided anew once it is known which is.
    if (changed) await this.#look().catch(() => undefined);
    this.#pump();
  }

  async #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const shard = Number(/[0-9]+$/.exec(this.ctx.id.name ?? "")?.[0] ?? 0);
    const { TriggerRunner: runner } = exports as unknown as Loopback;
    for (;;) {
      const order: ChangesOrder = { since: this.#store.looked().revision, shard };
      let answer: ChangesAnswer;
      try {
        answer = JSON.parse(await runner.schedules(JSON.stringify(order))) as ChangesAnswer;
      } catch (error) {
        this.#write((now) => {
          this.#store.noteBehind();
          this.#alarm.by(now + LOOK_AGAIN_MS);
        });
        throw error;
      }
      const more = this.#write((now) => {
        for (const name of answer.gone) this.#store.remove(name);
        for (const row of answer.rows) this.#adopt(row, now);
        // A registry that was put back to an earlier state is read from its beginning.
        const isOlder = answer.upto < order.since;
        this.#store.noteLook(isOlder ? 0 : answer.upto, now);
        return answer.more || isOlder;
      });
      if (!more) break;
    }
    this.#pump();
  }

  /** What came due before a row was written, or while it was paused, is nothing to it. */
  #adopt(row: ScheduleRow, now: number): void {
    const known = this.#store.schedule(row.name);
    if (known?.digest === row.digest) return;
    const sameTimes = known !== undefined && known.active === row.active && timingOf(known.spec) === timingOf(row.spec);
    const cursor = sameTimes ? known.cursor : Math.min(row.updated_at, now);
    const times = this.#timesOf(row);
    const { nextAt } = decide({ name: row.name, spec: row.spec, cursor }, [], { now: cursor, times });
    this.#store.put(row, { cursor, nextAt: row.active ? nextAt : null });
    if (sameTimes || known === undefined) return;
    const reason = row.active
      ? "the schedule was edited before it could start"
      : "the schedule was paused before it could start";
    const open = this.#store.openSeqs(row.name).filter((seq) => !this.#inFlight.has(seq));
    this.#store.close(open.map((seq) => ({ seq, status: "skipped", reason })));
  }

  /** The row was edited after it was decided. Where its times are others now, that due time is none of them. */
  #overtaken(ready: Ready, now: number): Noted {
    const known = this.#store.schedule(ready.name);
    const reason =
      known === undefined || (known.active && timingOf(known.spec) === timingOf(ready.spec))
        ? undefined
        : PASSED_BY[known.active ? "edited" : "paused"];
    if (reason === undefined) return tryAgain(ready, "the schedule was edited meanwhile", now);
    return { ...OPEN, seq: ready.seq, status: "skipped", retryAt: null, tries: ready.tries, reason };
  }

  #timesOf({ spec }: Pick<Known, "spec">): DueTimes {
    const { cron, time_zone, every_ms } = spec;
    const key = JSON.stringify([cron, time_zone, every_ms]);
    let times = this.#times.get(key);
    if (times === undefined) {
      if (this.#times.size > 1_000) this.#times.clear();
      times = dueTimes({ cron, time_zone, every_ms });
      this.#times.set(key, times);
    }
    return times;
  }

  /** What could be started by now has been: the rest waits for an answer that is on its way. */
  #armForNext(): void {
    const now = Date.now();
    const at = this.#store.nextAt(now);
    if (at !== undefined) this.#alarm.by(Math.max(at, now));
    if (this.#store.looked().behind) this.#alarm.by(now + LOOK_AGAIN_MS);
  }

  #write<Result>(work: (now: number) => Result): Result {
    try {
      const now = Date.now();
      const isPutBack = this.#latest.putBackMs(now) > 0;
      const result = this.ctx.storage.transactionSync(() => {
        // What is to be tried again then is tried now.
        if (isPutBack) this.#store.release(now);
        return work(now);
      });
      this.#armForNext();
      this.#alarm.set();
      return result;
    } catch (error) {
      logError("schedules: cannot write", error);
      this.ctx.abort(`a write failed: ${String(error)}`);
      throw error;
    }
  }
}

function timingOf({ cron, time_zone, every_ms }: Known["spec"]): string {
  return JSON.stringify([cron, time_zone, every_ms]);
}

const PASSED_BY = {
  edited: "the schedule was edited before it could start",
  paused: "the schedule was paused before it could start",
};
const OPEN = { firedAt: null, execution: null };

function failed({ seq, tries }: Ready, reason: string): Noted {
  return { ...OPEN, seq, status: "failed", retryAt: null, tries: tries + 1, reason };
}

function tryAgain(ready: Ready, reason: string, now: number): Noted {
  const { seq, tries } = ready;
  const retryAt = again(ready.spec, ready, now);
  if (retryAt === undefined) return failed(ready, reason);
  return { ...OPEN, seq, status: "pending", retryAt, tries: tries + 1, reason };
}

function outcomeOf(ready: Ready, answer: Exclude<FireAnswer, { kind: "changed" }>, now: number): Noted {
  const { seq, tries, made_up: madeUp, spec } = ready;
  switch (answer.kind) {
    case "fired": {
      const reason = answer.execution === null ? "started before the schedule was edited" : null;
      return {
        seq,
        status: "fired",
        retryAt: null,
        tries: tries + 1,
        firedAt: answer.at,
        reason,
        execution: answer.execution,
      };
    }
    case "running": {
      const reason = `${answer.execution} goes on`;
      if (spec.overlap === "skip" && madeUp === 0)
        return { ...OPEN, seq, status: "skipped", retryAt: null, tries, reason };
      return { ...OPEN, seq, status: "queued", retryAt: now + backOff(tries + 1), tries: tries + 1, reason };
    }
    case "refused":
      return answer.again
        ? tryAgain(ready, `${answer.code}: ${answer.detail}`, now)
        : failed(ready, `${answer.code}: ${answer.detail}`);
  }
}

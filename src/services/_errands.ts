/**
 * What a service's object has others do, and what it hears of that: steps of replicas, looks at their places, reports of runners. Who is
 * on the way is in memory; what was on the way when an object ended, the next one asks for again.
 */
import type { ErrorCode } from "../core/errors.ts";
import type { ReplicaReport } from "../model/services.ts";
import { complain } from "./_complain.ts";
import type { Head, Replica } from "./_kept.ts";
import type { Ledger } from "./_ledger.ts";
import { observeAt, tellsByItself } from "./_observing.ts";
import type { ServiceStore } from "./_service-store.ts";
import { rowOfGone, STRAYS_AT_ONCE, STRAYS_MS } from "./_strays.ts";
import type { PoolReport, StepAnswer, StepOrder } from "./messages.ts";

/** Until whoever was lost is made up for. */
const AGAIN_MS = 1_000;
/** One that has just become ready may be missing in what was reported before. */
const FRESH_MS = 3_000;
/** Missing in what runners answer for so long, it is gone: a runner whose platform was lost is back sooner. */
const ABSENT_MS = 20_000;
/** While it is missing its place is asked so often. */
const ABSENT_LOOK_MS = 5_000;
const STOP_AGAIN_MS = 60_000;
/** Nobody has heard of its place for so long: should it come back with it, it is stopped as one that is not known. */
const GIVE_UP_MS = 2 * 60_000;
/** Where no row leads any more, nobody has answered for so long: what may be left there is for people. */
const GIVE_UP_LEFT_MS = 24 * 60 * 60_000;
/** Nobody can say what has become of a start that came to this: it may go on, so the same one is asked for again. */
const UNKNOWN: ReadonlySet<ErrorCode> = new Set([
  "timeout",
  "executor_lost",
  "state_unavailable",
  "registry_unavailable",
]);

export type ErrandsDeps = {
  store: ServiceStore;
  ledger: Ledger;
  name: () => string;
  /** A transaction. */
  write: (work: (now: number) => unknown) => void;
  think: () => Promise<void>;
  /** StepOrder → StepAnswer, in an invocation of its own. It leaves when what was written so far is on disk. */
  runner: () => { step(text: string): Promise<string> };
};

export class Errands {
  readonly #deps: ErrandsDeps;
  #bornAt: number;
  /** Steps that somebody was asked for. */
  readonly #asked = new Set<string>();
  /** Replica → when its place last said anything of it, and since when it says nothing. */
  readonly #heardAt = new Map<string, number>();
  readonly #absentSince = new Map<string, number>();
  /** Replica → looks in a row that found it ill. */
  readonly #ill = new Map<string, number>();
  /** Replicas that nobody here knows → when they were last told to stop. */
  readonly #strays = new Map<string, number>();
  #observing = false;

  constructor(deps: ErrandsDeps, bornAt: number) {
    this.#deps = deps;
    this.#bornAt = bornAt;
  }

  /** Somebody has found it broken: its place is asked at once. */
  doubt(replica: string, now: number): void {
    if (this.#deps.store.replica(replica) === undefined) return;
    if ((this.#heardAt.get(replica) ?? 0) < now - AGAIN_MS) this.#heardAt.set(replica, 0);
  }

  /** What was noted by the clock says nothing any more. */
  beginAnew(now: number): void {
    this.#bornAt = now;
    for (const noted of [this.#heardAt, this.#absentSince, this.#strays]) noted.clear();
  }

  isAsked(replica: Replica): boolean {
    return this.#asked.has(keyOf(replica));
  }

  /** When places are to be looked at next; null: never, or just now. */
  observeAt(head: Head): number | null {
    if (this.#observing) return null;
    const replicas = this.#deps.store.replicas();
    const regular = observeAt(head, replicas, (replica) => this.#lastHeard(replica));
    const missing = replicas.filter(({ replica, phase }) => phase !== "stopping" && this.#absentSince.has(replica));
    return missing.reduce<number | null>(
      (at, replica) => Math.min(at ?? Infinity, this.#lastHeard(replica) + ABSENT_LOOK_MS),
      regular,
    );
  }

  /** PoolReport: what a runner has of this service now, or that it is lost. */
  reported(text: string): void {
    const { environment, place, replicas, lost } = JSON.parse(text) as PoolReport;
    const now = Date.now();
    const own = this.#deps.store.replicas().filter((each) => each.environment === environment && each.place === place);
    if (lost !== null) {
      if (own.length > 0)
        this.#deps.write((at) => own.forEach((replica) => this.#deps.ledger.lost(replica, `${place}: ${lost}`, at)));
      return void this.#deps.think();
    }
    for (const report of replicas) {
      const known = this.#deps.store.replica(report.replica);
      const isHere = known?.environment === environment && (known.place === place || known.place === "");
      if (isHere) this.#saw(known, { ...report, place }, now);
      else if (report.status !== "ended") this.#stopStray({ ...report, place }, environment);
    }
    const told = new Set(replicas.map(({ replica }) => replica));
    const missing = own.filter((replica) => !told.has(replica.replica) && isThere(replica, now));
    if (missing.length > 0) {
      this.#deps.write((at) => missing.forEach((each) => this.#deps.ledger.lost(each, `${place} has it no more`, at)));
    }
    void this.#deps.think();
  }

  /** Asks for each step that is under way and that nobody was asked for. */
  act(now: number): void {
    const head = this.#deps.store.head();
    if (head === undefined) return;
    for (const replica of this.#deps.store.replicas()) {
      if (replica.step === null || replica.stepAt > now || this.#asked.has(keyOf(replica))) continue;
      this.#send(replica, head);
    }
    const observe = this.observeAt(head);
    if (observe !== null && observe <= now) void this.#observe(head);
  }

  #lastHeard({ replica, readyAt, begunAt }: Replica): number {
    return this.#heardAt.get(replica) ?? Math.max(this.#bornAt, readyAt ?? begunAt);
  }

  /** A message to a stateless invocation. It leaves when what was written so far is on disk; what fails is asked again later. */
  #send(replica: Replica, head: Head): void {
    const key = keyOf(replica);
    this.#asked.add(key);
    void (async () => {
      let answer: StepAnswer | undefined;
      try {
        answer = JSON.parse(await this.#deps.runner().step(JSON.stringify(orderOf(replica, head)))) as StepAnswer;
      } catch (error) {
        complain("a step was lost", error);
      }
      this.#asked.delete(key);
      this.#deps.write((now) => this.#took(replica, answer, now));
      await this.#deps.think();
    })().catch((error: unknown) => complain("a step's answer", error));
  }

  /** undefined: nobody knows what has become of it. Asked again, it comes to the same. */
  #took(asked: Replica, answer: StepAnswer | undefined, now: number): void {
    const replica = this.#deps.store.replica(asked.replica);
    if (replica === undefined) return;
    const again = (): void => this.#deps.store.setReplica({ ...replica, stepAt: now + AGAIN_MS });
    if (asked.step === "stop") {
      if (replica.step !== "stop") return;
      // A start that is still under way could bring it back.
      if (answer?.kind === "stopped" && !this.#asked.has(keyOf({ ...replica, step: "start" }))) {
        return this.#deps.ledger.ended(replica, "it was stopped", replica.lines, now);
      }
      if (answer?.kind !== "failed") return again();
      if (answer.again && replica.place !== "" && now - replica.since > GIVE_UP_MS) {
        return this.#deps.ledger.lost(replica, answer.error.detail, now);
      }
      if (
        this.#isLeft(replica) &&
        answer.error.code === "environment_unavailable" &&
        now - replica.since > GIVE_UP_LEFT_MS
      ) {
        const why = `${answer.error.detail}; no row leads there any more: what may still run there is for you to stop`;
        return this.#deps.ledger.lost(replica, why, now);
      }
      const stepAt = now + Math.min(STOP_AGAIN_MS, AGAIN_MS * 2 ** Math.min(replica.tries, 10));
      return this.#deps.ledger.stopFailed(replica, answer.error, { stepAt, now });
    }
    if (replica.step !== "start") return;
    // Told another count or revision meanwhile: asked for once more.
    const isSame = replica.count === asked.count && replica.revision === asked.revision;
    switch (answer?.kind) {
      case "started": {
        this.#heardAt.set(replica.replica, now);
        const settled: Replica = isSame ? { ...replica, step: null } : replica;
        if (isSame) this.#deps.store.setReplica(settled);
        return this.#deps.ledger.saw(settled, answer.report, now);
      }
      case "failed":
        if (answer.again && UNKNOWN.has(answer.error.code)) return again();
        if (replica.phase === "starting") return this.#deps.ledger.startFailed(replica, answer.error, now);
        return this.#deps.ledger.stopFailed(replica, answer.error, { stepAt: now + 10 * AGAIN_MS, now });
      default:
        return again();
    }
  }

  #isLeft({ site }: Replica): boolean {
    return this.#deps.store.head()?.settings.site !== site;
  }

  async #observe(head: Head): Promise<void> {
    this.#observing = true;
    const replicas = this.#deps.store.replicas().filter(({ phase }) => phase !== "stopping");
    const now = Date.now();
    for (const { replica } of replicas) this.#heardAt.set(replica, now);
    try {
      // A look for each place: one that does not answer says nothing of the others.
      for (const some of Map.groupBy(replicas, placeOf).values()) {
        const service = this.#deps.name();
        const environment = some[0]?.environment ?? "";
        const refs = some.map(({ replica, place, address }) => ({ service, replica, place, address }));
        const order: StepOrder = { do: "observe", service, environment, replicas: refs };
        const answer = JSON.parse(await this.#deps.runner().step(JSON.stringify(order))) as StepAnswer;
        if (answer.kind === "observed") this.#observed(some, answer.reports, head);
      }
    } catch (error) {
      complain("an observation was lost", error);
    } finally {
      this.#observing = false;
    }
    await this.#deps.think();
  }

  #observed(asked: readonly Replica[], reports: readonly ReplicaReport[], head: Head): void {
    const isSure = head.settings.unit === "set";
    const now = Date.now();
    const by = new Map(reports.map((report) => [report.replica, report]));
    for (const { replica: name } of asked) {
      const replica = this.#deps.store.replica(name);
      const report = by.get(name);
      if (replica === undefined) continue;
      // The end of one that is being started, or just was, is told by its start, which may not have come there before the look.
      const isFresh = replica.step === "start" || (replica.readyAt !== null && now - replica.readyAt < FRESH_MS);
      const isEarly = report?.status === "ended" && isFresh;
      if (report !== undefined && !isEarly) {
        this.#absentSince.delete(name);
        if (replica.phase === "starting" || !this.#mayRecover(report, head)) this.#saw(replica, report, now);
      } else if (isThere(replica, now)) {
        // A runner whose connection has just broken is not there to be asked, and may come back with all that it has.
        const since = this.#absentSince.get(name) ?? now;
        this.#absentSince.set(name, since);
        if (isSure || now - since >= ABSENT_MS) {
          this.#deps.write((at) => this.#deps.ledger.lost(replica, "its place has it no more", at));
        }
      }
    }
  }

  /** Ill at a place that does not count by itself, and not often enough to be replaced. */
  #mayRecover({ replica, status }: ReplicaReport, head: Head): boolean {
    if (status !== "unready" || head.settings.unit === "set" || tellsByItself(head)) {
      this.#ill.delete(replica);
      return false;
    }
    const looks = (this.#ill.get(replica) ?? 0) + 1;
    this.#ill.set(replica, looks);
    return looks < head.settings.row.health.failures;
  }

  #saw(replica: Replica, report: ReplicaReport, now: number): void {
    this.#heardAt.set(replica.replica, now);
    this.#absentSince.delete(replica.replica);
    this.#deps.write((at) => this.#deps.ledger.saw(replica, report, at));
  }

  /**
   * It came back after it was given up, or was started by an object that ended before it could know: it is in nobody's count. A runner
   * that makes up names is asked to stop them, a few at a time, and nothing is written of it: names that were given out begin alike.
   */
  #stopStray({ replica, place, address }: ReplicaReport, environment: string): void {
    const now = Date.now();
    for (const [name, at] of this.#strays) if (Math.abs(now - at) >= STRAYS_MS) this.#strays.delete(name);
    if (this.#strays.has(replica) || this.#strays.size >= STRAYS_AT_ONCE) return;
    this.#strays.set(replica, now);
    const head = this.#deps.store.head();
    if (head !== undefined && replica.startsWith(`${head.life}-`)) {
      const what = `${replica}: it runs on ${place} and nobody knows it: it is stopped`;
      this.#deps.write((at) => this.#deps.store.tell(at, what));
    }
    const order: StepOrder = {
      do: "stop",
      service: this.#deps.name(),
      environment,
      replica,
      place,
      address,
      row: head?.settings.row ?? rowOfGone(this.#deps.name()),
      isStray: true,
    };
    void this.#deps
      .runner()
      .step(JSON.stringify(order))
      .catch((error: unknown) => complain("a stray was not stopped", error));
  }
}

function orderOf(
  { replica, revision, count, place, address, environment, step }: Replica,
  { settings: { row } }: Head,
): StepOrder {
  const base = { service: row.name, environment, replica };
  if (step === "stop") return { ...base, do: "stop", place, address, row };
  return { ...base, do: "start", revision, count, place: place === "" ? null : place };
}

/** Known to have been there, and not only just. */
function isThere({ phase, readyAt }: Replica, now: number): boolean {
  return phase !== "starting" && phase !== "stopping" && readyAt !== null && now - readyAt >= FRESH_MS;
}

function placeOf({ environment, site }: Replica): string {
  return `${environment} ${site}`;
}

function keyOf({ replica, step }: Pick<Replica, "replica" | "step">): string {
  return `${step} ${replica}`;
}

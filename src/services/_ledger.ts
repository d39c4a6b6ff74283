/**
 * What one service's object writes, change by change: every method is called within a transaction of it and changes the tables and
 * nothing else. Who is asked for what, and when, is the object's.
 */
import type { ErrorData } from "../core/errors.ts";
import { randomId } from "../core/ids.ts";
import { inThePast } from "../machines/evaluate.ts";
import type { ReplicaReport } from "../model/services.ts";
import type { Transition } from "../model/state-machines.ts";
import { afterFailure, isLooping, NO_CRASHES, STEADY_MS, type Failure } from "./_crashes.ts";
import type { Head, Replica } from "./_kept.ts";
import type { ServiceStore } from "./_service-store.ts";
import { bounded, revisionOf, stateInstead, wantedCount } from "./_wanted.ts";
import type { ServiceSettings } from "./messages.ts";

export class Ledger {
  readonly #store: ServiceStore;

  constructor(store: ServiceStore) {
    this.#store = store;
  }

  begin(settings: ServiceSettings, content: string, now: number): Head {
    const { row, machine } = settings;
    return this.#store.setHead({
      // A place may want a name that begins with a letter.
      life: `r${randomId(7)}`,
      settings,
      content,
      generation: 0,
      state: machine.initial,
      since: now,
      because: ["it is where its state machine begins"],
      scaled: bounded(1, row),
      taken: {},
      crashes: NO_CRASHES,
      nudged: false,
      isGone: false,
      next: 1,
      idleSince: now,
    });
  }

  /** What the rows say now. Holds at once: what does not fit them any more is planned anew. */
  adopt(head: Head, settings: ServiceSettings, content: string, now: number): Head {
    const before = head.settings;
    let after: Head = { ...head, settings, content, isGone: false };
    if (revisionOf(after) !== revisionOf(head)) {
      const isMoved = before.row.digest === settings.row.digest;
      const what = isMoved ? `its environment "${settings.row.environment}" is elsewhere now` : "its row was changed";
      this.#store.tell(now, `${what}: revision ${revisionOf(after)} is wanted in place of ${revisionOf(head)}`);
    }
    this.#keepUp(settings);
    if (settings.problem !== null && settings.problem !== before.problem) {
      this.#store.tell(now, `it cannot run: ${settings.problem}`);
    }
    const isEdited =
      before.row.digest !== settings.row.digest || before.problem !== settings.problem || before.site !== settings.site;
    if (isEdited || head.isGone) after = { ...after, crashes: NO_CRASHES };
    after = this.#placed({ ...after, scaled: bounded(after.scaled, settings.row) }, now);
    if (before.row.active !== settings.row.active) after = this.#switched(after, now);
    return this.#store.setHead(after);
  }

  /** The row is gone: so is all that runs for it, as soon as it may be. */
  leave(head: Head, now: number): Head {
    if (head.isGone) return head;
    this.#store.tell(now, "its row was deleted: its replicas are stopped");
    return this.#store.setHead({ ...head, isGone: true, nudged: false });
  }

  take(head: Head, { name, from, to, scale_by: by }: Transition, why: readonly string[], now: number): Head {
    const { row, machine } = head.settings;
    const because = why.map(inThePast);
    const taken = { ...head.taken, [name]: now };
    if (from === to) {
      const scaled = bounded(head.scaled + (by ?? 0), row);
      // At its bound already: the cooldown counts, and nobody needs to hear of it.
      if (scaled !== head.scaled)
        this.#store.tell(now, `${name}: ${head.scaled} → ${scaled} replicas${sayWhy(because)}`);
      return this.#store.setHead({ ...head, scaled, taken, because });
    }
    const open = machine.states[to]?.replicas === null;
    const scaled = open ? bounded(Math.max(1, wantedCount(head)), row) : head.scaled;
    this.#store.tell(now, `${name}: ${from} → ${to}${sayWhy(because)}`);
    return this.#store.setHead({ ...head, state: to, since: now, because, taken, scaled });
  }

  /** The clock was put back: nothing has been later than now, and what was put off until then has been for long enough. */
  putBack(head: Head, now: number): Head {
    const atMost = (time: number): number => Math.min(time, now);
    for (const replica of this.#store.replicas()) {
      const { since, begunAt, readyAt, stepAt } = replica;
      const times = { since: atMost(since), begunAt: atMost(begunAt), stepAt: atMost(stepAt) };
      this.#store.setReplica({ ...replica, ...times, readyAt: readyAt === null ? null : atMost(readyAt) });
    }
    this.#store.tell(now, "the clock was put back: what was put off is done now");
    return this.#store.setHead({
      ...head,
      since: atMost(head.since),
      taken: Object.fromEntries(Object.entries(head.taken).map(([name, time]) => [name, atMost(time)])),
      crashes: { ...head.crashes, nextAt: atMost(head.crashes.nextAt) },
      idleSince: head.idleSince === null ? null : atMost(head.idleSince),
    });
  }

  /** By command and not by a transition. */
  enter(head: Head, state: string, why: string, now: number): Head {
    this.#store.tell(now, `${head.state} → ${state}: ${why}`);
    return this.#store.setHead({ ...head, state, since: now, because: [why] });
  }

  change(head: Head, change: Partial<Head>, what: string | null, now: number): Head {
    if (what !== null) this.#store.tell(now, what);
    return this.#store.setHead({ ...head, ...change });
  }

  /** A start or a stop has failed for good or ended badly: the next one waits, longer each time. */
  failed(head: Head, failure: Failure, now: number): Head {
    const crashes = afterFailure(head.crashes, failure, now);
    const loops = isLooping(crashes) ? `; that was ${crashes.failures} times in a row` : "";
    this.#store.tell(now, `a start failed: ${failure.reason}${loops}; it tries again in ${crashes.nextAt - now} ms`);
    const nudged = head.nudged && !isLooping(crashes);
    // Whoever deployed it waits no longer; it idles from here on, not since the last request, which may be long ago.
    const idleSince = head.nudged && !nudged ? now : head.idleSince;
    return this.#store.setHead({ ...head, crashes, nudged, idleSince });
  }

  /** A replica that has begun. */
  want(head: Head, { replica, revision, count }: Pick<Replica, "replica" | "revision" | "count">, now: number): Head {
    this.#store.setReplica({
      replica,
      revision,
      count,
      environment: head.settings.row.environment,
      environmentRevision: head.settings.environmentRevision,
      site: head.settings.site,
      place: "",
      address: null,
      phase: "starting",
      since: now,
      begunAt: now,
      readyAt: null,
      ready: 0,
      cpu: null,
      lines: [],
      step: "start",
      stepAt: now,
      tries: 0,
      broken: null,
    });
    this.#store.tell(
      now,
      `${replica}: it is started with revision ${revision}${count === 1 ? "" : `, ${count} of them`}`,
    );
    return this.#store.setHead({ ...head, next: head.next + 1 });
  }

  /** Into another phase; to stop is a step. */
  phase(replica: Replica, phase: Replica["phase"], what: string | null, now: number): Replica {
    if (what !== null) this.#store.tell(now, `${replica.replica}: ${what}`);
    const step = phase === "stopping" ? ("stop" as const) : replica.step;
    const after = { ...replica, phase, since: now, step, ...(phase === "stopping" ? { stepAt: now, tries: 0 } : {}) };
    this.#store.setReplica(after);
    return after;
  }

  /** What a place says of one that is known. */
  saw(replica: Replica, report: ReplicaReport, now: number): void {
    const { status, address, cpu, lines, place } = report;
    const seen: Replica = {
      ...replica,
      address,
      cpu,
      lines,
      place: place === "" ? replica.place : place,
      ready: report.ready,
    };
    if (status === "ended") return this.ended(seen, report.ended ?? "it ended", lines, now);
    if (replica.phase === "stopping") return this.#store.noteReplica({ ...seen, address: replica.address });
    if (status === "ready" && replica.phase === "starting") {
      const ready: Replica = { ...seen, step: replica.count === report.count ? null : "start", readyAt: now, tries: 0 };
      this.phase(ready, "candidate", `it is ready${seen.place === "" ? "" : ` on ${seen.place}`}`, now);
      return;
    }
    const broken = status === "unready" ? (report.ended ?? "it does not answer its health check") : null;
    if (broken !== null && replica.broken === null && replica.phase !== "starting") {
      this.#store.tell(now, `${replica.replica}: ${broken}; it is replaced`);
      this.#brokeSoon(replica, { reason: `${broken}, soon after it was ready`, lines, error: null }, now);
    }
    const next: Replica = { ...seen, broken: replica.phase === "starting" ? null : broken };
    const isSame = replica.broken === next.broken && replica.address === address && replica.place === next.place;
    if (isSame) this.#store.noteReplica(next);
    else this.#store.setReplica(next);
  }

  /** It is not there any more. One that was to go has done so; every other has failed, if it did not live for long. */
  ended(replica: Replica, reason: string, lines: readonly string[], now: number): void {
    const head = this.#store.head();
    this.#store.forgetReplica(replica.replica);
    this.#store.tell(
      now,
      `${replica.replica}: ${replica.phase === "stopping" ? "it is gone" : `it has ended: ${reason}`}`,
    );
    if (head === undefined || replica.phase === "stopping" || replica.phase === "draining") return;
    const livedMs = replica.readyAt === null ? 0 : now - replica.readyAt;
    if (livedMs < STEADY_MS) this.failed(head, { reason, lines, error: null }, now);
  }

  /** As one that ends: or each of them would be replaced as fast as it can be started. The place of a set does that by itself. */
  #brokeSoon({ readyAt, phase }: Replica, failure: Failure, now: number): void {
    const head = this.#store.head();
    if (head === undefined || head.settings.unit === "set" || phase === "draining" || readyAt === null) return;
    if (now - readyAt < STEADY_MS) this.failed(head, failure, now);
  }

  /** With its place, which is no failure of its own. */
  lost(replica: Replica, why: string, now: number): void {
    this.#store.forgetReplica(replica.replica);
    this.#store.tell(now, `${replica.replica}: it is lost: ${why}`);
  }

  /** A start that came to no end of its own. What may be left of it is stopped. */
  startFailed(replica: Replica, error: ErrorData, now: number): void {
    const head = this.#store.head();
    if (head === undefined || replica.phase !== "starting") return;
    const { unit, row, site } = head.settings;
    // Its place is written before anything is started there. How replicas are kept elsewhere is not known here.
    const isSingle = unit === "replica" && replica.site === site && row.operations.start === "start_replica";
    const isNowhere = replica.place === "" && isSingle;
    const reason = `${error.code}: ${error.detail}`;
    const unplaced = isNowhere && error.code === "environment_unavailable";
    this.failed(head, { reason, lines: replica.lines, error, unplaced }, now);
    if (isNowhere) this.#store.forgetReplica(replica.replica);
    else this.phase(replica, "stopping", null, now);
  }

  /** Says so once; `stepAt`: when it is tried again. */
  stopFailed(replica: Replica, error: ErrorData, { stepAt, now }: { stepAt: number; now: number }): void {
    const what = replica.step === "start" ? "changed" : "stopped";
    if (replica.tries === 0) this.#store.tell(now, `${replica.replica}: it could not be ${what} yet: ${error.detail}`);
    this.#store.setReplica({ ...replica, tries: replica.tries + 1, stepAt });
  }

  /** What the environment says otherwise holds for those that are where it still leads to; the others stay with what led to them. */
  #keepUp({ site, environmentRevision }: ServiceSettings): void {
    for (const replica of this.#store.replicas()) {
      if (replica.site !== site || replica.environmentRevision === environmentRevision) continue;
      this.#store.setReplica({ ...replica, environmentRevision });
    }
  }

  /** The state may be one that the machine does not have any more. */
  #placed(head: Head, now: number): Head {
    const { machine } = head.settings;
    if (Object.hasOwn(machine.states, head.state)) return head;
    const runs = this.#store.replicas().some(({ phase }) => phase !== "stopping" && phase !== "draining");
    const state = stateInstead(machine, runs);
    const kept = runs && state !== machine.initial ? ", so that its replicas go on" : "";
    const why = `its state machine has no state "${head.state}" any more; it goes on in "${state}"${kept}`;
    this.#store.tell(now, why);
    return { ...head, state, since: now, because: [why] };
  }

  #switched(head: Head, now: number): Head {
    const { row, machine } = head.settings;
    const why = row.active ? "it was switched on" : "it was switched off: its replicas are stopped";
    this.#store.tell(now, why);
    return { ...head, state: machine.initial, since: now, because: [why], nudged: false };
  }
}

function sayWhy(because: readonly string[]): string {
  return because.length === 0 ? "" : `, because ${because.join("; ")}`;
}

/**
 * What becomes of due times: pure, given what is known of a schedule and what time it is. What it keeps true:
 *
 * - `cursor` only rises, and a due time at or before it is never decided again: whatever the clock does, none fires twice.
 * - A due time that lies back for longer than ON_TIME_MS was missed, and the row's catch_up decides; any other its overlap.
 */
import { LIMITS } from "../../core/limits.ts";
import { jitterOf, lastDue, type DueTimes, type Timing } from "../../model/due-times.ts";
import type { Schedule } from "../../model/triggers.ts";

/** Due times up to this long ago are on time: an object that was busy, or a process that was started again. */
export const ON_TIME_MS = 10_000;
/** Even with catch_up none a start is tried again for so long. */
const RETRY_LEAST_MS = 60_000;
const AGAIN_FIRST_MS = 500;
const AGAIN_MOST_MS = 60_000;

export type Spec = Timing & Pick<Schedule, "overlap" | "catch_up" | "catch_up_ms" | "jitter_ms">;
export type Known = { name: string; spec: Spec; cursor: number };

/** A due time that is to be started: not yet reached anybody (`pending`), or waiting for an execution's end (`queued`). */
export type OpenFiring = { seq: number; due: number; status: "pending" | "queued"; inFlight: boolean };

export type NewFiring = {
  due: number;
  status: "pending" | "skipped" | "missed";
  /** Made up for: it waits for others, whatever the overlap. */
  madeUp: boolean;
  reason: string | null;
};
export type Closing = { seq: number; status: "skipped" | "missed"; reason: string };
export type Decision = { cursor: number; nextAt: number | null; firings: NewFiring[]; closings: Closing[] };

export function decide(known: Known, open: readonly OpenFiring[], context: { now: number; times: DueTimes }): Decision {
  const { now, times } = context;
  const { name, spec } = known;
  const lateUntil = now - ON_TIME_MS - spec.jitter_ms;
  const recent: number[] = [];
  let next = times.next(Math.max(known.cursor, lateUntil));
  for (; next !== undefined && startOf(name, next, spec) <= now; next = times.next(next)) recent.push(next);
  const missed = lateUntil > known.cursor ? catchUp(known, { times, lateUntil, now, covered: recent[0] }) : [];
  const { firings, closings } = overlapping(spec, { recent, open, missed, now });
  return {
    cursor: Math.max(known.cursor, recent.at(-1) ?? (missed.length > 0 ? lateUntil : 0)),
    nextAt: next === undefined ? null : startOf(name, next, spec),
    firings: [...missed, ...firings],
    closings,
  };
}

function startOf(name: string, due: number, { jitter_ms: jitterMs }: Spec): number {
  return due + jitterOf(name, due, jitterMs);
}

type Late = { times: DueTimes; lateUntil: number; now: number; covered: number | undefined };

/** `covered`: a due time that is on time makes up for those before it. */
function catchUp({ spec, cursor }: Known, { times, lateUntil, now, covered }: Late): NewFiring[] {
  const { catch_up: policy, catch_up_ms: backMs } = spec;
  const span = { after: cursor, until: lateUntil };
  const last = lastDue(times, span, 1).due[0];
  if (last === undefined) return [];
  const since = Math.max(cursor, now - backMs);
  const wanted = policy === "all" ? LIMITS.scheduleBacklog : policy === "last" && covered === undefined ? 1 : 0;
  const window = { after: Math.min(since, lateUntil), until: lateUntil };
  const due = wanted === 0 ? [] : lastDue(times, window, wanted).due;
  const made = due.map((at): NewFiring => ({
    due: at,
    status: "pending",
    madeUp: true,
    reason: "made up for: it passed while the platform was down",
  }));
  const left = { after: cursor, until: (due[0] ?? lateUntil + 1) - 1 };
  const leftLast = lastDue(times, left, 1).due[0];
  if (leftLast === undefined) return made;
  return [{ due: leftLast, status: "missed", madeUp: false, reason: leftOut(spec, { times, left, covered }) }, ...made];
}

function leftOut(
  { catch_up: policy, catch_up_ms: backMs }: Spec,
  { times, left, covered }: Pick<Late, "times" | "covered"> & { left: { after: number; until: number } },
): string {
  const { count, more } = times.count(left.after, left.until);
  const many = more ? `more than ${count} due times` : count === 1 ? "1 due time" : `${count} due times`;
  const why = {
    none: "catch_up is none",
    last: covered === undefined ? "the last is made up for, within catch_up_ms" : `${at(covered)} makes up for them`,
    all: `at most ${LIMITS.scheduleBacklog} are made up for, within ${backMs} ms`,
  }[policy];
  return `${many} from ${at(times.next(left.after) ?? left.until)} on passed while the platform was down: ${why}`;
}

type Current = { recent: readonly number[]; open: readonly OpenFiring[]; missed: readonly NewFiring[]; now: number };

function overlapping(spec: Spec, { recent, open, missed, now }: Current): Pick<Decision, "firings" | "closings"> {
  const firings: NewFiring[] = [];
  const closings: Closing[] = [];
  const [first] = recent;
  // What could not be started for long is missed as if the platform had been down; its catch_up says what then.
  const overdue = (each: OpenFiring) => each.status === "pending" && !each.inFlight && each.due < now - ON_TIME_MS;
  const replaced = (each: OpenFiring) =>
    first !== undefined &&
    !each.inFlight &&
    (spec.overlap === "cancel_previous" || (spec.catch_up !== "all" && overdue(each)));
  for (const each of open) {
    if (!replaced(each) || first === undefined) continue;
    closings.push({
      seq: each.seq,
      status: "missed",
      reason: `could not be started in time: ${at(first)} makes up for it`,
    });
  }
  let waiting = open.length - closings.length + missed.filter(({ status }) => status === "pending").length;
  for (const due of recent) {
    const reason = refusal(spec, waiting);
    if (reason === null) waiting += 1;
    firings.push({ due, status: reason === null ? "pending" : "skipped", madeUp: false, reason });
  }
  // Of several at one look only the last is wanted.
  if (spec.overlap === "cancel_previous") {
    for (const each of firings.slice(0, -1)) {
      if (each.status === "pending")
        Object.assign(each, { status: "skipped", reason: `${at(recent.at(-1) ?? 0)} came before it could start` });
    }
  }
  return { firings, closings };
}

function refusal({ overlap }: Spec, waiting: number): string | null {
  switch (overlap) {
    case "allow":
    case "cancel_previous":
      return null;
    case "skip":
      return waiting === 0 ? null : "an earlier due time had not been started yet";
    case "queue":
      return waiting < LIMITS.scheduleBacklog
        ? null
        : `at most ${LIMITS.scheduleBacklog} due times of a schedule may wait`;
  }
}

/** When a start that failed is tried again; undefined: not any more. */
export function again(spec: Spec, firing: { due: number; tries: number }, now: number): number | undefined {
  const windowMs = Math.max(spec.catch_up === "none" ? 0 : spec.catch_up_ms, RETRY_LEAST_MS);
  const next = now + backOff(firing.tries);
  return next - firing.due > windowMs ? undefined : next;
}

/** 500 ms, then twice as long each time, up to a minute. */
export function backOff(tries: number): number {
  return Math.min(AGAIN_MOST_MS, AGAIN_FIRST_MS * 2 ** Math.min(tries, 10));
}

function at(time: number): string {
  return new Date(time).toISOString();
}

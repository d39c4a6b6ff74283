/** What must hold of a history once everything has ended. Pure: it takes what was read and names what is wrong. */
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import type { Asked, Cancel, History, Seen, Violation } from "./_history.ts";
import { maxAttemptsOf } from "./_operations.ts";

/** `final`: every execution that the platform lists, read after the last restart. */
export function check(history: History, final: ReadonlyMap<string, Seen>): Violation[] {
  return [
    ...history.violations,
    ...checkRequests(history.asked, final),
    ...checkListed(history.asked, final),
    ...[...final.values()].flatMap(checkEnded),
    ...[...final.values()].flatMap(checkAttempts),
    ...checkOnce(history.ended, final),
    ...checkCancels(history.cancels, final),
    ...checkFamilies(final),
    ...checkLanes(final),
  ];
}

function checkRequests(asked: readonly Asked[], final: ReadonlyMap<string, Seen>): Violation[] {
  return asked.flatMap(({ n, ids, key }): Violation[] => {
    const wrong: Violation[] = [];
    if (ids.length > 1)
      wrong.push({ rule: "a request has one execution", what: `${n} (key ${key}): ${ids.join(", ")}` });
    for (const id of ids)
      if (!final.has(id)) wrong.push({ rule: "what was acknowledged is there", what: `request ${n}`, id });
    return wrong;
  });
}

/** Nothing runs that nobody asked for, and nothing that was asked for once runs as two executions. */
function checkListed(asked: readonly Asked[], final: ReadonlyMap<string, Seen>): Violation[] {
  const byNumber = new Map<number, string[]>();
  const wrong: Violation[] = [];
  const acknowledged = new Set(asked.flatMap(({ ids }) => ids));
  for (const [id, { view, n }] of final) {
    if (view.parent !== null) continue;
    if (n !== undefined) byNumber.set(n, [...(byNumber.get(n) ?? []), id]);
    const request = n === undefined ? undefined : asked[n];
    if (!acknowledged.has(id) && request?.isUnknown !== true) {
      wrong.push({ rule: "nothing runs that was not accepted", what: `request ${n}`, id });
    }
  }
  for (const [n, ids] of byNumber) {
    if (ids.length > 1) wrong.push({ rule: "a request runs as one execution", what: `${n}: ${ids.join(", ")}` });
  }
  return wrong;
}

function checkEnded({ view, output, logs }: Seen): Violation[] {
  const { id, status } = view;
  const wrong: Violation[] = [];
  const say = (rule: string, what: string): void => void wrong.push({ rule, what, id });
  if (!isFinal(status)) return [{ rule: "everything ends", what: `it is ${status}`, id }];
  if (view.finished_at === null) say("what has ended has a time of its end", "finished_at is null");
  if ((output !== undefined) !== (status === "succeeded")) {
    say("an output is there exactly when it succeeded", `${status}, output ${output === undefined ? "none" : "there"}`);
  }
  if (output !== undefined) {
    const told = JSON.parse(output) as { id: string; attempt: number };
    const last = view.attempts.at(-1);
    if (told.id !== id || told.attempt !== view.attempt || last?.attempt !== told.attempt || last.end !== "succeeded") {
      say("the output is that of the last attempt", `${output} at attempt ${view.attempt}`);
    }
    const starts = logs.filter((line) => line === `start ${id} ${told.attempt}`).length;
    const ends = logs.filter((line) => line === `end ${id} ${told.attempt}`).length;
    if (starts !== ends || starts > 1)
      say("the log of the attempt that counts is whole, and there once", logs.join(" | "));
  }
  const foreign = logs.filter((line) => /^(?:start|end) /.test(line) && !line.includes(id));
  if (foreign.length > 0) say("a log has the lines of its own execution", foreign.join(" | "));
  return wrong;
}

function checkAttempts({ view }: Seen): Violation[] {
  const { id, attempts } = view;
  const wrong: Violation[] = [];
  const say = (rule: string): void => void wrong.push({ rule, what: JSON.stringify(attempts), id });
  const rises = attempts.every(({ attempt }, place) => attempt > (attempts[place - 1]?.attempt ?? 0));
  if (!rises) say("attempts only rise, and no number comes twice");
  if ((attempts.at(-1)?.attempt ?? 0) > view.attempt) say("no attempt has a number that was not given out");
  if (attempts.slice(0, -1).some(({ end }) => end === "succeeded")) say("nothing is tried again after it succeeded");
  if (attempts.filter(({ end }) => end === "succeeded").length !== (view.status === "succeeded" ? 1 : 0)) {
    say("it succeeded exactly when one attempt did");
  }
  const failed = attempts.filter(({ end }) => end === "failed").length;
  if (failed > maxAttemptsOf(view.operation)) say("the operation's own tries are limited");
  if (view.status === "dead" && view.operation !== "soak_flaky" && view.operation !== "soak_terminal") {
    say("only what fails by itself is dead");
  }
  if (view.operation === "soak_terminal" && failed > 1) say("what is terminal is not tried again");
  return wrong;
}

/** What was read at its end is what is read at the very end. */
function checkOnce(ended: ReadonlyMap<string, Seen>, final: ReadonlyMap<string, Seen>): Violation[] {
  return [...ended].flatMap(([id, first]): Violation[] => {
    const now = final.get(id);
    if (now === undefined) return [{ rule: "what has ended stays listed", what: first.view.status, id }];
    const same =
      JSON.stringify([lasting(first.view), first.output]) === JSON.stringify([lasting(now.view), now.output]);
    return same ? [] : [{ rule: "an outcome never changes", what: JSON.stringify([first, now]), id }];
  });
}

function lasting({ status, attempt, attempts, error, output, finished_at }: ExecutionView): unknown {
  return { status, attempt, attempts, error, output, finished_at };
}

function checkCancels(cancels: readonly Cancel[], final: ReadonlyMap<string, Seen>): Violation[] {
  return cancels.flatMap(({ id, answer }): Violation[] => {
    const status = final.get(id)?.view.status;
    if (answer === "cancelled" && status !== "cancelled") {
      return [{ rule: "what was cancelled stays cancelled", what: `it is ${status}`, id }];
    }
    const others = cancels.filter((other) => other.id === id);
    if (answer === "final" && status === "cancelled" && others.every((other) => other.answer === "final")) {
      return [{ rule: "what had ended was not cancelled", what: "it is cancelled", id }];
    }
    return [];
  });
}

/** A cancel reaches what the execution has started. */
function checkFamilies(final: ReadonlyMap<string, Seen>): Violation[] {
  const wrong: Violation[] = [];
  for (const [id, { view }] of final) {
    const parent = view.parent === null ? undefined : final.get(view.parent)?.view;
    if (view.parent !== null && parent === undefined) {
      wrong.push({ rule: "a child has a parent", what: view.parent, id });
    }
    if (parent?.status !== "cancelled" || view.status === "cancelled") continue;
    // It may have ended in the moment before it was told.
    const toldBy = Date.parse(parent.finished_at ?? "") + 30_000;
    if (Date.parse(view.finished_at ?? "") > toldBy) {
      wrong.push({
        rule: "a cancel reaches the children",
        what: `${view.parent} ended ${parent.finished_at}, this ${view.finished_at}`,
        id,
      });
    }
  }
  return wrong;
}

/** In a lane with a limit of one, no attempt begins before the one before has ended. Lost ones have no end of their own. */
function checkLanes(final: ReadonlyMap<string, Seen>): Violation[] {
  const lanes = Map.groupBy(
    [...final.values()].filter(({ view, output }) => view.operation === "soak_lane" && output !== undefined),
    ({ output }) => String((JSON.parse(output ?? "{}") as { lane?: string }).lane),
  );
  return [...lanes].flatMap(([lane, members]) => {
    const attempts = members
      .flatMap(({ view }) => view.attempts.map((attempt) => ({ ...attempt, id: view.id })))
      .filter(({ end }) => end === "succeeded" || end === "failed")
      .toSorted((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at));
    return attempts.slice(1).flatMap((attempt, place): Violation[] => {
      const before = attempts[place];
      if (before === undefined || Date.parse(attempt.started_at) >= Date.parse(before.finished_at)) return [];
      const what = `lane ${lane}: attempt ${before.attempt} of ${before.id} until ${before.finished_at}, this from ${attempt.started_at}`;
      return [{ rule: "one at a time in a lane", what, id: attempt.id }];
    });
  });
}

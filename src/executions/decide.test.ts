/** Every rule of trying again, as a table: the last word on what an ending means. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../core/limits.ts";
import {
  EXECUTION_STATES,
  EXECUTION_STATUSES,
  isFinal,
  nextStatus,
  type ExecutionEvent,
} from "../model/execution-states.ts";
import type { Attempt, AttemptEnd } from "../model/execution.ts";
import { decide, finish } from "./decide.ts";
import type { Ending, Head, Settlement, Tail } from "./messages.ts";

const NOW = 1_000_000;
const error = { code: "implementation_failed", detail: "it threw" } as const;
const head: Head = {
  mode: "async",
  revision: 1,
  digest: "d",
  caller: { type: "token", id: "t" },
  principal: "t",
  traceparent: "",
  depth: 0,
  accepted_at: 0,
  timeout_ms: 60_000,
  retry: { max_attempts: 4, initial_ms: 200, max_ms: 1_000 },
  retention_ms: 5_000,
  expires_at: null,
  limit: null,
  batch: false,
  replay_of: null,
};

function attempts(...ends: AttemptEnd[]): Attempt[] {
  return ends.map((end, before) => ({
    attempt: before + 1,
    environment: "inline",
    started_at: 1,
    finished_at: 2,
    end,
    error: end === "succeeded" ? null : error,
  }));
}

function many(count: number, end: AttemptEnd): Attempt[] {
  return attempts(...Array.from({ length: count }, () => end));
}

function settlement(ending: Ending): Settlement {
  return { id: "ex", attempt: 7, environment: "inline", started_at: NOW - 10, finished_at: NOW - 1, ending };
}

type Case = { head?: Partial<Head>; tail?: Tail; ending: Ending; random?: number };

function decided({ head: changes = {}, tail = {}, ending, random = 0.5 }: Case): ReturnType<typeof decide> {
  return decide({ ...head, ...changes }, tail, settlement(ending), { now: NOW, random: () => random });
}

const failed: Ending = { kind: "failed", error, retry: { kind: "may" } };
const never: Ending = { kind: "failed", error, retry: { kind: "never" } };
const lost: Ending = { kind: "lost", error };
const interrupted: Ending = { kind: "interrupted", error };
const putBack: Ending = { kind: "put_back", error };
const succeeded: Ending = { kind: "succeeded", output: { text: "1" }, sha256: "ab", size_bytes: 1 };
const after = (ms: number): Ending => ({ kind: "failed", error, retry: { kind: "after", after_ms: ms } });
const kept = NOW + head.retention_ms;

describe("decide()", () => {
  it.each<[string, Case, string, number | null]>([
    ["ends with a success", { ending: succeeded }, "succeeded", kept],
    ["ends a success after failures", { ending: succeeded, tail: { attempts: many(3, "failed") } }, "succeeded", kept],
    ["tries a first failure again", { ending: failed }, "retrying", NOW + 100],
    ["waits longer after a second", { ending: failed, tail: { attempts: many(1, "failed") } }, "retrying", NOW + 200],
    [
      "waits at most max_ms",
      {
        ending: failed,
        tail: { attempts: many(30, "failed") },
        head: { retry: { max_attempts: 100, initial_ms: 200, max_ms: 1_000 } },
      },
      "retrying",
      NOW + 500,
    ],
    [
      "waits at most max_ms for a lost one",
      {
        ending: lost,
        tail: { attempts: many(8, "lost") },
        head: { retry: { max_attempts: 4, initial_ms: 86_400_000, max_ms: 86_400_000 } },
      },
      "retrying",
      NOW + 43_200_000,
    ],
    [
      "tries a third failure of four again",
      { ending: failed, tail: { attempts: many(2, "failed") } },
      "retrying",
      NOW + 400,
    ],
    ["gives up after the fourth", { ending: failed, tail: { attempts: many(3, "failed") } }, "dead", null],
    [
      "gives up after the first of one",
      { ending: failed, head: { retry: { max_attempts: 1, initial_ms: 1, max_ms: 1 } } },
      "dead",
      null,
    ],
    ["gives up what is terminal at once", { ending: never }, "dead", null],
    [
      "does not count lost tries as the operation's",
      { ending: failed, tail: { attempts: many(9, "lost") } },
      "retrying",
      NOW + 100,
    ],
    [
      "does not count interrupted tries as the operation's",
      { ending: failed, tail: { attempts: many(99, "interrupted") } },
      "retrying",
      NOW + 100,
    ],
    ["does not count failures as lost", { ending: lost, tail: { attempts: many(3, "failed") } }, "retrying", NOW + 100],
    ["waits as long as retry_after says", { ending: after(12_345) }, "retrying", NOW + 12_345],
    ["waits so long although max_ms is less", { ending: after(10_000_000) }, "retrying", NOW + 10_000_000],
    ["waits no time when retry_after says so", { ending: after(0) }, "retrying", NOW],
    ["waits a year at most", { ending: after(Number.MAX_VALUE) }, "retrying", NOW + LIMITS.delayMaxMs],
    ["counts a retry_after as a try", { ending: after(1), tail: { attempts: many(3, "failed") } }, "dead", null],
    ["tries a lost one again", { ending: lost }, "retrying", NOW + 100],
    ["tries nine lost ones again", { ending: lost, tail: { attempts: many(8, "lost") } }, "retrying", NOW + 500],
    ["gives up the tenth lost one", { ending: lost, tail: { attempts: many(9, "lost") } }, "dead", null],
    ["tries an interrupted one again, soon", { ending: interrupted }, "retrying", NOW + 5],
    [
      "tries 99 interrupted ones again",
      { ending: interrupted, tail: { attempts: many(98, "interrupted") } },
      "retrying",
      NOW + 2_500,
    ],
    [
      "gives up the 100th interrupted one",
      { ending: interrupted, tail: { attempts: many(99, "interrupted") } },
      "dead",
      null,
    ],
    ["puts back what could not begin", { ending: putBack }, "queued", NOW + 250],
    [
      "puts back without an end, at most half a minute later",
      { ending: putBack, tail: { put_backs: 5_000 } },
      "queued",
      NOW + 15_000,
    ],
    [
      "puts back whatever was tried before",
      { ending: putBack, tail: { attempts: [...many(3, "failed"), ...many(9, "lost")] } },
      "queued",
      NOW + 250,
    ],
    ["expires what would be put back too late", { ending: putBack, head: { expires_at: NOW + 250 } }, "expired", kept],
    ["puts back what is still in time", { ending: putBack, head: { expires_at: NOW + 251 } }, "queued", NOW + 250],
    [
      "expires what would be tried again too late",
      { ending: failed, head: { expires_at: NOW + 100 } },
      "expired",
      kept,
    ],
    ["tries again what is still in time", { ending: failed, head: { expires_at: NOW + 101 } }, "retrying", NOW + 100],
    [
      "keeps a success that comes after the time to begin",
      { ending: succeeded, head: { expires_at: NOW - 1 } },
      "succeeded",
      kept,
    ],
    [
      "keeps as dead what has no tries left after the time to begin",
      { ending: never, head: { expires_at: NOW - 1 } },
      "dead",
      null,
    ],
    ["ends a synchronous success", { ending: succeeded, head: { mode: "sync" } }, "succeeded", kept],
    ["ends a synchronous failure", { ending: failed, head: { mode: "sync" } }, "failed", kept],
    [
      "ends a synchronous failure that asks for a later try",
      { ending: after(5), head: { mode: "sync" } },
      "failed",
      kept,
    ],
    ["ends a lost synchronous call", { ending: lost, head: { mode: "sync" } }, "failed", kept],
    ["ends an interrupted synchronous call", { ending: interrupted, head: { mode: "sync" } }, "failed", kept],
    ["ends a synchronous call that could not begin", { ending: putBack, head: { mode: "sync" } }, "failed", kept],
  ])("%s", (_rule, given, status, due) => {
    expect(decided(given)).toMatchObject({ status, due });
  });

  it.each<[string, Ending, number, number]>([
    ["a first failure", failed, 0, 200],
    ["a lost attempt", lost, 0, 200],
    ["an interrupted one", interrupted, 0, 10],
    ["one put back", putBack, 0, 500],
  ])("draws the wait after %s from the whole range", (_what, ending, least, most) => {
    expect(decided({ ending, random: 0 }).due).toBe(NOW + least);
    const longest = decided({ ending, random: 1 - Number.EPSILON }).due ?? 0;
    expect(longest).toBeGreaterThan(NOW + most * 0.99);
    expect(longest).toBeLessThanOrEqual(NOW + most);
    const drawn = new Set(Array.from({ length: 50 }, (_, n) => decided({ ending, random: n / 50 }).due));
    expect(drawn.size).toBeGreaterThan(9);
  });

  it("is due at a whole millisecond, since times are stored as integers", () => {
    expect(decided({ ending: failed, random: 0.123_456 }).due).toSatisfy(Number.isInteger);
    expect(decided({ ending: after(0.5) }).due).toSatisfy(Number.isInteger);
  });

  it("writes each attempt down as it ended, and none for what was put back", () => {
    const { tail } = decided({ ending: failed, tail: { attempts: many(1, "lost") } });
    expect(tail.attempts).toHaveLength(2);
    expect(tail.attempts?.[1]).toEqual({
      attempt: 7,
      environment: "inline",
      started_at: NOW - 10,
      finished_at: NOW - 1,
      end: "failed",
      error,
    });
    const back = decided({ ending: putBack, tail: { attempts: many(1, "lost"), put_backs: 2 } });
    expect(back.tail).toMatchObject({ put_backs: 3, error });
    expect(back.tail.attempts).toHaveLength(1);
  });

  it("forgets earlier errors with a success, and keeps what else was written", () => {
    const steps = [{ operation: "a", execution_id: "ex", status: "succeeded" as const }];
    const { tail } = decided({ ending: succeeded, tail: { error, steps, attempts: many(1, "failed") } });
    expect(tail).toMatchObject({ steps, finished_at: NOW, output: { sha256: "ab", size_bytes: 1 } });
    expect(tail).not.toHaveProperty("error");
  });

  it("keeps the output of a failure that has one, as of an incomplete batch", () => {
    const ending: Ending = { ...never, output: { text: "[]" }, sha256: "cd", size_bytes: 2 };
    expect(decided({ ending }).tail.output).toEqual({ sha256: "cd", size_bytes: 2 });
    expect(decided({ ending: never }).tail).not.toHaveProperty("output");
  });

  it("changes nothing of what it was given", () => {
    const tail: Tail = { attempts: many(1, "failed"), error };
    const before = JSON.stringify(tail);
    for (const ending of [succeeded, failed, never, lost, interrupted, putBack]) decided({ ending, tail });
    expect(JSON.stringify(tail)).toBe(before);
  });
});

describe("finish()", () => {
  const events = [...new Set(Object.values(EXECUTION_STATES).flatMap(({ on }) => Object.keys(on)))] as ExecutionEvent[];
  const cases = EXECUTION_STATUSES.flatMap((status) => events.map((event) => [status, event] as const));

  it.each(cases)("from %s by %s goes where the table says, or throws", (status, event) => {
    const next = nextStatus(status, event);
    if (next === undefined) {
      expect(() => finish(event, head, {}, NOW, status)).toThrow(`an execution that is ${status} cannot ${event}`);
    } else {
      expect(finish(event, head, {}, NOW, status)).toEqual({
        status: next,
        due: next === "dead" ? null : kept,
        tail: { finished_at: NOW },
      });
    }
  });

  it("lets nothing lead out of a final state, and each other state to an end", () => {
    for (const status of EXECUTION_STATUSES) {
      const reached = new Set([status]);
      for (const from of reached) for (const to of Object.values(EXECUTION_STATES[from].on)) reached.add(to);
      if (isFinal(status)) expect([...reached]).toEqual([status]);
      else expect([...reached].filter(isFinal)).toEqual(expect.arrayContaining(["succeeded", "dead", "cancelled"]));
    }
  });
});

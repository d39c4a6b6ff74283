/**
 * What an agent does next, from what is known now. Pure: the object asks after every change, carries it out and asks again.
 * Whatever runs is let come to its end before anything else begins, so that a plan starts from a state that stands still.
 */
import type { AgentPhase, StepStatus } from "../model/agent-states.ts";
import { isSettled } from "../model/agent-states.ts";
import type { AgentRetry } from "../model/agents.ts";

export type Intent = "seek" | "stop";

export type Known = {
  phase: AgentPhase;
  intent: Intent;
  active: boolean;
  hasTarget: boolean;
  /** The plan does not hold any more, or there is none for this target. */
  replan: boolean;
  /** Failures in a row. */
  failures: number;
  /** Nothing is tried before. Milliseconds since the epoch. */
  notBefore: number;
  steps: readonly { id: number; status: StepStatus; needs: readonly number[] }[];
};

export type Decision =
  /** For what runs, or for nothing at all. */
  | { do: "nothing" }
  | { do: "plan" }
  | { do: "start"; steps: number[] }
  /** Until then; null: until something changes. */
  | { do: "wait"; until: number | null; reason: string }
  | { do: "stop" }
  | { do: "give_up" };

export function decide(known: Known, retry: Pick<AgentRetry, "max_failures">, now: number): Decision {
  const { phase, intent, active, hasTarget, replan, failures, notBefore, steps } = known;
  const isUnderWay = steps.some(({ status }) => status === "started");
  const goesOn = intent === "seek" && active && !replan;
  if (isUnderWay && !goesOn) return { do: "nothing" };
  if (intent === "stop") return phase === "stopped" || phase === "idle" ? { do: "nothing" } : { do: "stop" };
  if (!hasTarget || (phase === "failed" && !replan)) return { do: "nothing" };
  if (!active) return { do: "wait", until: null, reason: "its row says active: false" };
  if (failures >= retry.max_failures) return { do: "give_up" };
  if (phase === "running" && !replan) {
    const ready = readyOf(steps);
    if (ready.length > 0) return { do: "start", steps: ready };
    // All are done: the next plan says whether that was enough.
    return isUnderWay ? { do: "nothing" } : { do: "plan" };
  }
  if (isSettled(phase) && !replan) {
    if (phase !== "unreachable") return { do: "nothing" };
    return now < notBefore ? { do: "nothing" } : { do: "plan" };
  }
  return planned(notBefore, now);
}

function planned(notBefore: number, now: number): Decision {
  return now < notBefore ? { do: "wait", until: notBefore, reason: "it tries again then" } : { do: "plan" };
}

function readyOf(steps: Known["steps"]): number[] {
  const done = new Set(steps.filter(({ status }) => status === "succeeded").map(({ id }) => id));
  return steps
    .filter(({ status, needs }) => status === "waiting" && needs.every((need) => done.has(need)))
    .map(({ id }) => id);
}

/** Doubles with each failure. Milliseconds. */
export function backOff(
  { initial_ms: initial, max_ms: most }: Pick<AgentRetry, "initial_ms" | "max_ms">,
  failures: number,
): number {
  return Math.min(most, initial * 2 ** Math.min(failures - 1, 40));
}

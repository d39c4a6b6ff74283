/** A stored row as those who ask see it. */
import { isFinal, type ExecutionStatus } from "../model/execution-states.ts";
import type { ExecutionLogLine, ExecutionView } from "../model/execution.ts";
import { outputArtifactId } from "./artifacts/artifact-ids.ts";
import type { Head, Tail } from "./messages.ts";
import type { Row } from "./_tables.ts";

export function toView(row: Row): ExecutionView {
  const head = JSON.parse(row.head) as Head;
  const tail = JSON.parse(row.tail) as Tail;
  const status = row.status as ExecutionStatus;
  const final = isFinal(status);
  const attempts = tail.attempts ?? [];
  return {
    id: row.id,
    operation: row.operation,
    revision: head.revision,
    digest: head.digest,
    mode: head.mode,
    status,
    trigger: head.caller.type,
    caller: head.caller,
    principal: head.principal,
    traceparent: head.traceparent,
    environment: attempts.at(-1)?.environment ?? null,
    accepted_at: time(head.accepted_at),
    started_at: timeOrNull(attempts[0]?.started_at ?? tail.started_at),
    finished_at: timeOrNull(tail.finished_at),
    next_attempt_at: !final && status !== "running" && row.ready === 0 ? timeOrNull(row.due) : null,
    kept_until: final ? timeOrNull(row.due) : null,
    expires_at: timeOrNull(head.expires_at),
    attempt: row.attempt,
    attempts: attempts.map(({ attempt, environment, started_at, finished_at, end, error, passed_over: passedOver }) => {
      const seen = {
        attempt,
        environment,
        started_at: time(started_at),
        finished_at: time(finished_at),
        end,
        error,
      };
      return passedOver === undefined ? seen : Object.assign(seen, { passed_over: passedOver });
    }),
    // That of the attempt before is with the attempt, and no word about the one under way.
    error: status === "running" ? null : (tail.error ?? null),
    output: tail.output === undefined ? null : { artifact_id: outputArtifactId(row.id), ...tail.output },
    parent: row.parent,
    replay_of: head.replay_of,
    replayed_by: tail.replayed_by ?? [],
    steps: tail.steps ?? [],
  };
}

const LINES_AN_ATTEMPT = 1_000;

export type LogRow = { attempt: number; line: number; at: number; level: string; message: string };

/** A line's number rises over all attempts of an execution and can be told before the line is stored. */
export function toLogLine({ attempt, line, at, level, message }: LogRow): ExecutionLogLine {
  return { seq: attempt * LINES_AN_ATTEMPT + line, attempt, level, message, at: time(at) };
}

/** The attempt and line that come after the one with this number. */
export function afterLogSeq(seq: number): { attempt: number; line: number } {
  return { attempt: Math.floor(seq / LINES_AN_ATTEMPT), line: seq % LINES_AN_ATTEMPT };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function timeOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : time(ms);
}

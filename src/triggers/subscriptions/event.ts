/** The event that tells of an execution's end: what a subscription's mapping is given, and what is sent without one. */
import type { EndedExecution } from "../../model/ended.ts";
import type { ExecutionView, OutputReference } from "../../model/execution.ts";

export type Event = {
  type: string;
  /** The same for whoever is told of it, and however often. */
  id: string;
  /** When it happened, RFC 3339. */
  at: string;
  data: {
    execution: Pick<
      ExecutionView,
      | "id"
      | "operation"
      | "revision"
      | "status"
      | "caller"
      | "accepted_at"
      | "started_at"
      | "finished_at"
      | "attempt"
      | "error"
      | "parent"
      | "replay_of"
    >;
    /** Of a success, up to LIMITS.eventPayloadBytes. */
    output?: unknown;
    /** In its place where it is larger: GET /artifacts/ID has the bytes, for as long as the delivery is kept. */
    output_artifact?: OutputReference;
    /** For mappings only: what is sent without one does not hold it. */
    input?: unknown;
  };
};

export function eventOf({ view, output, input }: EndedExecution): Event {
  const { id, operation, revision, status, caller, accepted_at, started_at, finished_at, attempt, error } = view;
  const execution = {
    id,
    operation,
    revision,
    status,
    caller,
    accepted_at,
    started_at,
    finished_at,
    attempt,
    error,
    parent: view.parent,
    replay_of: view.replay_of,
  };
  return {
    type: `execution.${status}`,
    id: id.replace(/^ex_/, "evt_"),
    at: finished_at ?? accepted_at,
    data: {
      execution,
      ...(output === undefined ? {} : { output: JSON.parse(output) as unknown }),
      ...(output === undefined && view.output !== null ? { output_artifact: view.output } : {}),
      ...(input === undefined ? {} : { input: JSON.parse(input) as unknown }),
    },
  };
}

/** What is sent where no mapping says otherwise. */
export function withoutInput(event: Event): Event {
  const { input: _, ...data } = event.data;
  return { ...event, data };
}

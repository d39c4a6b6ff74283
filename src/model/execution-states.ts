/**
 * The life of an execution as one table: it yields the type, the guard, docs/executions.md's picture and the tests.
 *
 *     queued → running → succeeded | failed | dead | cancelled | expired, with `retrying` between attempts
 *
 * `failed` ends a synchronous call, which is never tried again; `dead` ends an asynchronous execution whose tries are
 * used up. A dead one stays until somebody replays or deletes it.
 */
export const EXECUTION_STATES = {
  /** Accepted and durable; waits for its time, its turn or a free place. */
  queued: { final: false, on: { start: "running", cancel: "cancelled", expire: "expired" } },
  /** An attempt is under way. `put_back`: it could not even start, and costs no try. */
  running: {
    final: false,
    on: {
      succeed: "succeeded",
      fail: "failed",
      retry: "retrying",
      give_up: "dead",
      put_back: "queued",
      cancel: "cancelled",
      expire: "expired",
    },
  },
  /** Waits for its next attempt. */
  retrying: { final: false, on: { start: "running", cancel: "cancelled", expire: "expired" } },
  succeeded: { final: true, on: {} },
  failed: { final: true, on: {} },
  dead: { final: true, on: {} },
  cancelled: { final: true, on: {} },
  expired: { final: true, on: {} },
} as const;

export type ExecutionStatus = keyof typeof EXECUTION_STATES;
export type ExecutionEvent = {
  [S in ExecutionStatus]: keyof (typeof EXECUTION_STATES)[S]["on"];
}[ExecutionStatus];

export const EXECUTION_STATUSES = Object.keys(EXECUTION_STATES) as ExecutionStatus[];

export function isFinal(status: ExecutionStatus): boolean {
  return EXECUTION_STATES[status].final;
}

/** Where the event leads; undefined when the state does not know it. */
export function nextStatus(status: ExecutionStatus, event: ExecutionEvent): ExecutionStatus | undefined {
  const moves: Partial<Record<ExecutionEvent, ExecutionStatus>> = EXECUTION_STATES[status].on;
  return moves[event];
}

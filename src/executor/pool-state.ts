/** What the supervisor tells the edge about its processes: enough to choose one, and nothing that changes per call. */

export type PoolState = {
  /** Grows with every change, so that news that overtook each other are told apart. */
  version: number;
  /** The slot for ordinary calls, or null while none is up. Not ready: hold on, a change is near. */
  active: number | null;
  /** Slots whose process takes calls. */
  ready: readonly number[];
  /** Slots whose process does not answer. What has not started there is moved. */
  stalled: readonly number[];
  /** Slots that sleep until they are woken. */
  stopped: readonly number[];
  /** Operations that run in a process of their own, because they were there when one died. */
  dedicated: Readonly<Record<string, number>>;
};

export const NO_PROCESSES: PoolState = { version: 0, active: null, ready: [], stalled: [], stopped: [], dedicated: {} };

/** Why a process ended. */
export type LossCause = "timeout" | "memory" | "crash";

/** What became of one call on a process that broke or stalled. */
export type LossAnswer = { started: boolean; cause: LossCause | null; state: PoolState };
export type LossQuestion = {
  slot: number;
  /** callId() of protocol.ts, as everywhere here. */
  call_id: string;
  operation: string;
  /** The connection broke. False: the process is only slow to answer. */
  lost: boolean;
};

/** All that the edge has sent to a process that stalled: call id → operation. */
export type StallReport = {
  slot: number;
  calls: Readonly<Record<string, string>>;
  /** The operation that was the last to answer from there. */
  last: string | null;
};

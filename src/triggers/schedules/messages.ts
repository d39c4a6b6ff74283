/**
 * What passes between the scheduler objects and the stateless invocations that act for them, as JSON text. Times are
 * milliseconds since the epoch.
 */
import type { ErrorCode } from "../../core/errors.ts";
import type { Schedule } from "../../model/triggers.ts";
import type { Spec } from "./_decide.ts";

/** One due time to start. `previous`: executions of earlier ones that may still go on. */
export type FireOrder = {
  seq: number;
  name: string;
  /** Of the row that the due time was decided by; with any other it is not started. */
  digest: string;
  due: number;
  overlap: Schedule["overlap"];
  previous: string[];
  /** How long its execution waits before it begins. */
  delay_ms?: number;
};

/** `ended`: those of `previous` that do not go on. */
export type FireAnswer = { seq: number; ended: string[] } & (
  | { kind: "fired"; execution: string | null; at: number }
  | { kind: "running"; execution: string }
  | { kind: "changed" }
  | { kind: "refused"; code: ErrorCode; detail: string; again: boolean }
);

/** Which rows have changed after a registry revision, of those that belong to the shard. */
export type ChangesOrder = { since: number; shard: number };

export type ChangesAnswer = {
  /** The registry revision up to which this tells everything. */
  upto: number;
  more: boolean;
  rows: ScheduleRow[];
  gone: string[];
};

export type ScheduleRow = { name: string; digest: string; active: boolean; updated_at: number; spec: Spec };

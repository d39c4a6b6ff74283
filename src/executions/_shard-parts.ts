/** What the parts of a shard share: the tables, the queue that repeats them in memory, the alarm and who waits for news. */
import type { Head, Tail } from "./messages.ts";
import type { ExecutionStatus } from "../model/execution-states.ts";
import type { Alarm } from "../objects/alarm.ts";
import type { News } from "../objects/news.ts";
import type { Outbox } from "./_outbox.ts";
import type { Queue, Running } from "./_queue.ts";
import type { RowChange, Store } from "./_store.ts";
import type { Row } from "./_tables.ts";

export type ShardParts = { store: Store; queue: Queue; alarm: Alarm; news: News; outbox: Outbox };

/** A runner that has not been heard of for so long is taken for gone. */
export const LEASE_MS = 10_000;

export function runningOf(row: Row, leasedUntil: number): Running {
  const { seq, id, operation, lane, attempt } = row;
  return { seq, id, operation, lane, attempt, head: headOf(row), tail: tailOf(row), leasedUntil };
}

/** A synchronous call renews nothing: it is over when its time is. */
export function leaseOf(head: Head, startedAt: number): number {
  return startedAt + LEASE_MS + (head.mode === "sync" ? head.timeout_ms : 0);
}

/** The row as it is, to be changed in part. */
export function changeOf(row: Row): RowChange {
  return {
    seq: row.seq,
    status: row.status as ExecutionStatus,
    ready: row.ready === 1 ? 1 : 0,
    due: row.due,
    tail: tailOf(row),
  };
}

export function headOf(row: Row): Head {
  return JSON.parse(row.head) as Head;
}

export function tailOf(row: Row): Tail {
  return JSON.parse(row.tail) as Tail;
}

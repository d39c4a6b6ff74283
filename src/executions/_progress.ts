/** How executions go on in a shard: attempts begin, are heard of, end; what is cancelled or late ends without one. */
import { LIMITS } from "../core/limits.ts";
import { isFinal, type ExecutionStatus } from "../model/execution-states.ts";
import type { Step } from "../model/execution.ts";
import type { LogLine } from "../model/invocation.ts";
import type { EndNote } from "../model/ended.ts";
import { notesOf } from "./_outbox.ts";
import type { Running } from "./_queue.ts";
import { changeOf, headOf, leaseOf, LEASE_MS, runningOf, tailOf, type ShardParts } from "./_shard-parts.ts";
import type { RowChange, StoredLine } from "./_store.ts";
import type { Row } from "./_tables.ts";
import { decide, finish } from "./decide.ts";
import type { Claim, Payload, Settled, Settlement } from "./messages.ts";

export class Progress {
  readonly #parts: ShardParts;

  constructor(parts: ShardParts) {
    this.#parts = parts;
  }

  /** Takes from the lanes in turn what has a place. */
  pump(now: number): Claim[] {
    const { store, queue, news } = this.#parts;
    const claims: Claim[] = [];
    // Lanes with more to start come round again when each has had its share.
    const again: string[] = [];
    while (queue.room > 0) {
      if (queue.lanes === 0) for (const served of again.splice(0)) queue.wait(served);
      const lane = queue.takeTurn();
      if (lane === undefined) break;
      const share = Math.max(1, Math.floor(queue.room / (queue.lanes + 1)));
      const rows = store.readyIn(lane, share + 1);
      const started: Running[] = [];
      for (const row of rows.slice(0, share)) {
        const running = runningOf({ ...row, attempt: row.attempt + 1 }, now + LEASE_MS);
        if (!queue.hasPlace(lane, running.head)) {
          queue.park(lane);
          break;
        }
        running.tail = { ...running.tail, started_at: now };
        queue.start(running);
        started.push(running);
      }
      if (started.length === 0) continue;
      store.start(
        started.map(({ seq }) => seq),
        now,
      );
      queue.ready -= started.length;
      if (rows.length > share && started.length === share) again.push(lane);
      for (const { seq, id, operation, attempt, head, tail } of started) {
        news.tell(id);
        const input = store.input(seq) ?? { text: "null" };
        claims.push({
          id,
          operation,
          attempt,
          head,
          input,
          ...(head.batch ? { items: store.items(seq) } : {}),
          ...(tail.steps === undefined ? {} : { steps: tail.steps }),
        });
      }
    }
    for (const served of again) queue.wait(served);
    return claims;
  }

  settle(settlements: readonly Settlement[], now: number): Settled {
    const { store, queue, alarm, news, outbox } = this.#parts;
    const changes: RowChange[] = [];
    const notes: EndNote[] = [];
    const outputs: ({ seq: number; sha256: string } & Payload)[] = [];
    const lines: StoredLine[] = [];
    const settled = settlements.map((settlement): ExecutionStatus | null => {
      const running = this.#current(settlement);
      if (running === undefined) return null;
      const { seq, head } = running;
      const { ending, attempt } = settlement;
      const { status, due, tail } = decide(head, running.tail, settlement, { now, random: Math.random });
      queue.end(running);
      for (const [line, entry] of (settlement.logs ?? []).entries()) lines.push({ seq, attempt, line, ...entry });
      if ("output" in ending && ending.output !== undefined) {
        outputs.push({ seq, sha256: ending.sha256 ?? "", ...ending.output });
      }
      changes.push({ seq, status, ready: 0, due, tail });
      notes.push(...notesOf(settlement.id, status, settlement.wanted, head.wanted));
      if (due !== null) alarm.by(due);
      return status;
    });
    store.change(changes);
    store.addOutputs(outputs);
    store.addLogs(lines);
    outbox.add(notes);
    for (const { id } of settlements) news.tell(id);
    return settled;
  }

  /** The attempt under way, if the one named is it. */
  #current({ id, attempt }: { id: string; attempt: number }): Running | undefined {
    const running = this.#parts.queue.running.get(id);
    return running?.attempt === attempt ? running : undefined;
  }

  /** Attempts that go on. Answers those that do not count any more: cancelled, or taken over. */
  renew(attempts: readonly { id: string; attempt: number }[], now: number): string[] {
    return attempts.flatMap((named) => {
      const running = this.#current(named);
      if (running === undefined) return [named.id];
      running.leasedUntil = Math.max(running.leasedUntil, now + LEASE_MS);
      return [];
    });
  }

  /** Attempts whose runner is gone. */
  interrupt(attempts: readonly Running[], now: number): void {
    this.settle(
      attempts.map(({ id, operation, attempt, tail }) => ({
        id,
        attempt,
        environment: null,
        started_at: tail.started_at ?? now,
        finished_at: now,
        ending: {
          kind: "interrupted",
          error: {
            code: "executor_lost",
            detail: `Cannot finish "${operation}": its attempt must be heard of until its end; the platform lost it`,
          },
        },
      })),
      now,
    );
  }

  /** `lateMs`: for so long nobody could be heard of, as far as is known. */
  endLeases(now: number, lateMs: number): void {
    const running = [...this.#parts.queue.running.values()];
    // A clock that was set back meanwhile must not give anybody until then to be heard of.
    for (const each of running) each.leasedUntil = Math.min(each.leasedUntil + lateMs, leaseOf(each.head, now));
    this.interrupt(
      running.filter(({ leasedUntil }) => leasedUntil <= now),
      now,
    );
  }

  /** Answers whether the attempt still counts. */
  noteItems(named: { id: string; attempt: number }, items: Parameters<ShardParts["store"]["addItems"]>[1]): boolean {
    const running = this.#current(named);
    if (running !== undefined) this.#parts.store.addItems(running.seq, items);
    return running !== undefined;
  }

  noteSteps(named: { id: string; attempt: number }, steps: Step[]): boolean {
    const { store, news } = this.#parts;
    const running = this.#current(named);
    if (running === undefined) return false;
    running.tail = { ...running.tail, steps };
    store.change([{ seq: running.seq, status: "running", ready: 0, due: null, tail: running.tail }]);
    news.tell(running.id);
    return true;
  }

  addLogs(row: Row, { attempt, first, lines }: { attempt: number; first: number; lines: readonly LogLine[] }): void {
    const { store, news } = this.#parts;
    if (attempt > row.attempt) return;
    const kept = lines.slice(0, Math.max(0, LIMITS.logLines + 1 - first));
    store.addLogs(
      kept.map(({ at_ms, level, message }, place) => ({
        seq: row.seq,
        attempt,
        line: first + place,
        at_ms,
        level,
        message,
      })),
    );
    news.tell(row.id);
  }

  /** Not for one that has ended. Its children, in whatever shard, are told later. */
  cancel(row: Row, now: number): void {
    const { store, queue, alarm, news, outbox } = this.#parts;
    const { id } = row;
    const head = headOf(row);
    const running = queue.running.get(id);
    if (running !== undefined) queue.end(running);
    if (row.ready === 1) queue.ready -= 1;
    const tail = {
      ...(running?.tail ?? tailOf(row)),
      error: { code: "execution_cancelled" as const, detail: `Cannot finish the execution "${id}": it was cancelled` },
    };
    const { status, due, tail: ended } = finish("cancel", head, tail, now, row.status as ExecutionStatus);
    store.change([{ seq: row.seq, status, ready: 0, due, tail: ended }]);
    outbox.add(notesOf(id, status, head.wanted));
    if (due !== null) alarm.by(due);
    if (row.attempt > 0) {
      store.noteCancelled(id);
      alarm.by(now);
    }
    news.tell(id);
  }

  /** Delays that are over make ready, waits that took too long expire. What was kept long enough is left as it is. */
  handleDue(rows: readonly Row[], now: number): void {
    const { store, queue, alarm, news, outbox } = this.#parts;
    const changes: RowChange[] = [];
    const notes: EndNote[] = [];
    for (const row of rows) {
      const status = row.status as ExecutionStatus;
      if (isFinal(status)) continue;
      const head = headOf(row);
      if (head.expires_at !== null && head.expires_at <= now) {
        if (row.ready === 1) queue.ready -= 1;
        const { due, ...ended } = finish("expire", head, tailOf(row), now, status);
        changes.push({ seq: row.seq, ready: 0, due, ...ended });
        notes.push(...notesOf(row.id, ended.status, head.wanted));
        if (due !== null) alarm.by(due);
        news.tell(row.id);
      } else {
        changes.push({ ...changeOf(row), ready: 1, due: head.expires_at });
        queue.ready += 1;
        queue.wait(row.lane);
      }
    }
    store.change(changes);
    outbox.add(notes);
  }
}

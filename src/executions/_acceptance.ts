/** How executions come into a shard: new ones, those that a key or an earlier message brought before, replays, records. */
import { shardOfExecutionId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import type { ExecutionStatus } from "../model/execution-states.ts";
import { notesOf } from "./_outbox.ts";
import type { NewRow } from "./_store.ts";
import { changeOf, headOf, leaseOf, tailOf, type ShardParts } from "./_shard-parts.ts";
import type { Accept, AcceptReply, Claim, Head, KeyClaim } from "./messages.ts";

export class Acceptance {
  readonly #parts: ShardParts;
  #seq: number;

  constructor(parts: ShardParts) {
    this.#parts = parts;
    this.#seq = parts.store.highestSeq();
  }

  /** Stores them and answers each, with the attempts that may begin at once. */
  accept(items: readonly Accept[], now: number): { replies: AcceptReply[]; claims: Claim[] } {
    const { store, queue } = this.#parts;
    const rows: NewRow[] = [];
    const claims: Claim[] = [];
    // A message may come twice, and a key may outlive a crash of its execution's shard: the same id is the same call.
    const there = new Map(store.statusesOf(items.map(({ id }) => id)));
    const replies = items.map((item): AcceptReply => {
      const { id } = item;
      const status = there.get(id);
      if (status !== undefined) return { kind: "same", id, status };
      const reply = this.#acceptOne(item, now, rows, claims);
      if (reply.kind === "accepted") there.set(id, queue.running.has(id) ? "running" : "queued");
      return reply;
    });
    store.insert(rows);
    for (const { seq, id, head } of rows) {
      if (!("replay_of" in head) || typeof head.replay_of !== "string") continue;
      const original = this.linkReplay(head.replay_of, id, now);
      // What another revision made of an item is no answer of this one.
      const { batch, revision } = head as Head;
      if (batch && original !== undefined && original.revision === revision) store.copyGoodItems(original.seq, seq);
    }
    for (const claim of claims) {
      const running = queue.running.get(claim.id);
      if (claim.head.batch && claim.head.replay_of !== null && running !== undefined)
        claim.items = store.items(running.seq);
    }
    return { replies, claims };
  }

  #acceptOne(item: Accept, now: number, rows: NewRow[], claims: Claim[]): AcceptReply {
    const { store, queue, alarm } = this.#parts;
    const { id, operation, head, lane, key, input } = item;
    const known = key === undefined ? undefined : this.#known(item.id, key, now, rows);
    if (known !== undefined) return known;
    const delayed = item.due !== null && item.due > now;
    const starts = head.mode === "sync" || (item.urgent === true && !delayed && queue.mayStart(lane, head));
    if (!starts && !delayed) {
      const full = this.#full(item, rows);
      if (full !== undefined) return full;
    }
    if (key !== undefined) store.claimKey(key, id);
    const seq = ++this.#seq;
    const attempt = starts ? 1 : 0;
    const due = starts ? null : delayed ? item.due : head.expires_at;
    if (due !== null) alarm.by(due);
    const base = { seq, id, operation, lane, attempt, head };
    if (starts) {
      queue.start({ ...base, tail: { started_at: now }, leasedUntil: leaseOf(head, now) });
      if (head.mode === "async") claims.push({ id, operation, attempt, head, input, urgent: true });
    } else if (!delayed) {
      queue.ready += 1;
      queue.wait(lane);
    }
    rows.push({
      ...base,
      status: starts ? "running" : "queued",
      trigger: head.caller.type,
      parent: item.parent,
      ready: starts || delayed ? 0 : 1,
      due,
      tail: starts ? { started_at: now } : {},
      input,
    });
    return { kind: "accepted" };
  }

  #known(own: string, key: KeyClaim, now: number, batch: readonly NewRow[]): AcceptReply | undefined {
    const { store } = this.#parts;
    const claimed = store.key(key.hash, now);
    if (claimed === undefined) return undefined;
    const id = claimed.execution;
    if (claimed.input !== key.input) return { kind: "key_reused", id };
    const row = batch.find((other) => other.id === id) ?? store.find(id);
    if (row !== undefined) return { kind: "same", id, status: row.status as ExecutionStatus };
    return shardOfExecutionId(id) === shardOfExecutionId(own) ? undefined : { kind: "elsewhere", id };
  }

  /** The operation's own limit counts its lane, with those of this message that are not written yet; ours the shard. */
  #full({ lane, max_queued: own }: Accept, batch: readonly NewRow[]): AcceptReply | undefined {
    const { store, queue } = this.#parts;
    if (queue.ready >= LIMITS.queuedPerShard) {
      return { kind: "queue_full", limit: LIMITS.queuedPerShard, waiting: queue.ready };
    }
    if (own === null) return undefined;
    const waiting = store.countReady(lane) + batch.filter((row) => row.lane === lane && row.ready === 1).length;
    return waiting >= own ? { kind: "queue_full", limit: own, waiting } : undefined;
  }

  /** The original says by what it was replayed. Answers its place in the tables, if it is in this shard. */
  linkReplay(original: string, again: string, now: number): { seq: number; revision: number } | undefined {
    const { store, alarm } = this.#parts;
    const row = store.find(original);
    if (row === undefined) return undefined;
    const tail = tailOf(row);
    const replayed = [...new Set([...(tail.replayed_by ?? []), again])];
    // What was dead may be forgotten in time, now that somebody has seen to it.
    const due = row.status === "dead" ? now + headOf(row).retention_ms : row.due;
    if (due !== null) alarm.by(due);
    store.change([{ ...changeOf(row), due, tail: { ...tail, replayed_by: replayed } }]);
    return { seq: row.seq, revision: headOf(row).revision };
  }

  /** For a key whose execution lives in another shard: the id that the key stands for from now on. */
  reserve(key: KeyClaim, id: string, now: number): { id: string; reused: boolean } {
    const { store, alarm } = this.#parts;
    const claimed = store.key(key.hash, now);
    if (claimed !== undefined) return { id: claimed.execution, reused: claimed.input !== key.input };
    store.claimKey(key, id);
    alarm.by(key.expires_at);
    return { id, reused: false };
  }

  /** Records of synchronous calls. The same record twice is stored once. */
  record(rows: readonly Omit<NewRow, "seq">[]): void {
    const { store, alarm, outbox } = this.#parts;
    const notes = rows.flatMap(({ id, status, head }) =>
      notesOf(id, status as ExecutionStatus, (head as Partial<Head>).wanted),
    );
    const there = store.statusesOf(notes.map(({ id }) => id));
    store.insert(rows.map((row) => ({ ...row, seq: ++this.#seq })));
    outbox.add(notes.filter(({ id }) => !there.has(id)));
    for (const { due } of rows) if (due !== null) alarm.by(due);
  }
}

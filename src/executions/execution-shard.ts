/**
 * One shard of the executions: a Durable Object with its own SQLite. It decides and remembers; attempts run elsewhere.
 *
 * - Whatever is acknowledged is durable: an answer, and a message to a runner, leaves only after its transaction is on disk.
 * - The attempt's number is a fencing token: an ending with any other number than that of the attempt under way is refused,
 *   in the transaction that would have stored it.
 * - Memory (the queue) repeats what the tables say. A write that fails ends the object; the next one starts from the tables.
 * - Nothing stays running with nothing running: a runner renews its leases, and an alarm is set as long as there are any.
 */
import { DurableObject, exports } from "cloudflare:workers";
import { LIMITS } from "../core/limits.ts";
import { isFinal, type ExecutionStatus } from "../model/execution-states.ts";
import type { ExecutionLogLine, ExecutionQuery, ExecutionView, Step } from "../model/execution.ts";
import type { LogLine } from "../model/invocation.ts";
import { Alarm } from "./_alarm.ts";
import { listRows, type IdRange } from "./_listing.ts";
import { Queue, type Running } from "./_queue.ts";
import { Store, type NewRow, type RowChange, type StoredLine } from "./_store.ts";
import type { Row } from "./_tables.ts";
import { decide, finish } from "./decide.ts";
import type {
  Accept,
  AcceptReply,
  Claim,
  Head,
  ItemOutcome,
  KeyClaim,
  Payload,
  Settled,
  Settlement,
  Tail,
} from "./messages.ts";
import type { Watched } from "./port.ts";
import { afterLogSeq, toLogLine, toView, type LogRow } from "./view.ts";

/** Attempts of one shard that may be under way at once. */
const CAPACITY = 64;
/** A runner that has not been heard of for so long is taken for gone. */
const LEASE_MS = 10_000;
/** Rows handled by one alarm; the next follows at once. */
const DUE_AT_ONCE = 500;

export type ShardEnv = {
  EXECUTIONS: DurableObjectNamespace<ExecutionShard>;
  /** Names one life of the platform's process; undefined where processes come and go unseen (Cloudflare). */
  INCARNATION?: string;
};

type Loopback = { AttemptRunner: { run(shard: string, claims: string): Promise<void> } };

export class ExecutionShard extends DurableObject<ShardEnv> {
  readonly #store: Store;
  readonly #queue = new Queue(CAPACITY);
  readonly #alarm: Alarm;
  readonly #listeners = new Map<string, Set<() => void>>();
  #seq: number;
  #ready: number;

  constructor(state: DurableObjectState, env: ShardEnv) {
    super(state, env);
    this.#store = new Store(state.storage.sql);
    this.#alarm = new Alarm(state.storage);
    this.#seq = this.#store.highestSeq();
    this.#ready = this.#store.countReady();
    const leasedUntil =
      env.INCARNATION !== undefined && !this.#store.sameIncarnation(env.INCARNATION) ? 0 : Date.now() + LEASE_MS;
    for (const row of this.#store.running()) this.#queue.start(runningOf(row, leasedUntil));
    for (const lane of this.#store.lanesWithReady()) this.#queue.wait(lane);
    void state.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      if (leasedUntil === 0 || this.#ready > 0) this.#alarm.by(Date.now());
      else if (this.#queue.running.size > 0) this.#alarm.by(leasedUntil);
    });
  }

  /** Stores executions, JSON of Accept[]; answers JSON of AcceptReply[] in their order. What may start, starts. */
  accept(text: string): string {
    return this.#write(() => {
      const now = Date.now();
      const rows: NewRow[] = [];
      const claims: Claim[] = [];
      const replies = (JSON.parse(text) as Accept[]).map((item) => this.#acceptOne(item, now, rows, claims));
      this.#store.insert(rows);
      for (const row of rows) this.#afterInsert(row);
      this.#armForRunning(now);
      this.#launch(claims);
      return JSON.stringify(replies);
    });
  }

  #acceptOne(item: Accept, now: number, rows: NewRow[], claims: Claim[]): AcceptReply {
    const { id, operation, head, lane, key, input } = item;
    // An id comes twice only when its message does, or when a key's record outlived a crash: both mean the same call.
    const known = key === undefined && item.mayExist !== true ? undefined : this.#known(item, now, rows);
    if (known !== undefined) return known;
    const delayed = item.due !== null && item.due > now;
    const starts = head.mode === "sync" || (!delayed && this.#queue.mayStart(lane, head.limit));
    if (!starts && !delayed) {
      const waiting = item.max_queued === null ? this.#ready : this.#store.countReady(lane);
      const limit = item.max_queued ?? LIMITS.queuedPerShard;
      if (waiting >= limit || this.#ready >= LIMITS.queuedPerShard) return { kind: "queue_full", limit, waiting };
    }
    if (key !== undefined) this.#store.claimKey(key, id);
    const seq = ++this.#seq;
    const attempt = starts ? 1 : 0;
    const due = starts ? null : delayed ? item.due : head.expires_at;
    if (due !== null) this.#alarm.by(due);
    const base = { seq, id, operation, lane, attempt, head };
    if (starts) {
      const leasedUntil = now + (head.mode === "sync" ? head.timeout_ms + LEASE_MS : LEASE_MS);
      this.#queue.start({ ...base, tail: { started_at: now }, leasedUntil });
      if (head.mode === "async") claims.push({ id, operation, attempt, head, input });
    } else if (!delayed) {
      this.#ready += 1;
      this.#queue.wait(lane);
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

  #known(item: Accept, now: number, batch: readonly NewRow[]): AcceptReply | undefined {
    const { key } = item;
    const claimed = key === undefined ? undefined : this.#store.key(key.hash, now);
    if (claimed !== undefined && claimed.input !== key?.input) return { kind: "key_reused", id: claimed.execution };
    const id = claimed?.execution ?? item.id;
    const row = batch.find((other) => other.id === id) ?? this.#store.find(id);
    return row === undefined ? undefined : { kind: "same", id: row.id, status: row.status as ExecutionStatus };
  }

  /** A replay leaves its mark on the execution it repeats, and takes over what a batch has done already. */
  #afterInsert({ seq, id, head }: NewRow): void {
    const { replay_of: original, batch } = head as Head;
    const row = original === null ? undefined : this.#store.find(original);
    if (row === undefined) return;
    if (batch) this.#store.copyGoodItems(row.seq, seq);
    const tail = JSON.parse(row.tail) as Tail;
    // What was dead may be forgotten in time, now that somebody has seen to it.
    const due = row.status === "dead" ? Date.now() + (JSON.parse(row.head) as Head).retention_ms : row.due;
    this.#store.change([
      {
        ...changeOf(row),
        due,
        tail: { ...tail, replayed_by: [...(tail.replayed_by ?? []), id] },
      },
    ]);
  }

  /** For a key whose execution lives in another shard: the id that the key stands for from now on. */
  reserve(key: KeyClaim, id: string): { id: string; reused: boolean } {
    return this.#write(() => {
      const claimed = this.#store.key(key.hash, Date.now());
      if (claimed !== undefined) return { id: claimed.execution, reused: claimed.input !== key.input };
      this.#store.claimKey(key, id);
      this.#alarm.by(key.expires_at);
      return { id, reused: false };
    });
  }

  /** Takes endings of attempts, JSON of Settlement[]; answers JSON of Settled. */
  settle(text: string): string {
    return this.#write(() => {
      const now = Date.now();
      const settled = this.#settle(JSON.parse(text) as Settlement[], now);
      this.#launch(this.#pump(now));
      this.#armForRunning(now);
      return JSON.stringify(settled);
    });
  }

  #settle(settlements: readonly Settlement[], now: number): Settled {
    const changes: RowChange[] = [];
    const outputs: ({ seq: number } & Payload)[] = [];
    const lines: StoredLine[] = [];
    const settled = settlements.map((settlement): ExecutionStatus | null => {
      const running = this.#queue.running.get(settlement.id);
      if (running === undefined || running.attempt !== settlement.attempt) return null;
      const { seq, head } = running;
      const decision = decide(head, running.tail, settlement, { now, random: Math.random });
      const { ending } = settlement;
      this.#queue.end(running);
      for (const [line, entry] of (settlement.logs ?? []).entries()) {
        lines.push({ seq, attempt: settlement.attempt, line, ...entry });
      }
      if ("output" in ending && ending.output !== undefined) outputs.push({ seq, ...ending.output });
      changes.push({ seq, status: decision.status, ready: 0, due: decision.due, tail: decision.tail });
      if (decision.due !== null) this.#alarm.by(decision.due);
      return decision.status;
    });
    this.#store.change(changes);
    this.#store.addOutputs(outputs);
    this.#store.addLogs(lines);
    for (const { id } of settlements) this.#notify(id);
    return settled;
  }

  /** Attempts that go on. Answers those that do not count any more: cancelled, or taken over. */
  renew(attempts: readonly { id: string; attempt: number }[]): string[] {
    const leasedUntil = Date.now() + LEASE_MS;
    return attempts.flatMap(({ id, attempt }) => {
      const running = this.#queue.running.get(id);
      if (running === undefined || running.attempt !== attempt) return [id];
      running.leasedUntil = leasedUntil;
      return [];
    });
  }

  /** What became of items of a batch so far. Answers whether the attempt still counts. */
  progress(id: string, attempt: number, items: string): boolean {
    return this.#write(() => {
      const running = this.#queue.running.get(id);
      if (running === undefined || running.attempt !== attempt) return false;
      this.#store.addItems(running.seq, JSON.parse(items) as Record<string, ItemOutcome>);
      return true;
    });
  }

  /** The steps of a chain so far. Answers whether the attempt still counts. */
  steps(id: string, attempt: number, steps: Step[]): boolean {
    return this.#write(() => {
      const running = this.#queue.running.get(id);
      if (running === undefined || running.attempt !== attempt) return false;
      running.tail = { ...running.tail, steps };
      this.#store.change([{ seq: running.seq, status: "running", ready: 0, due: null, tail: running.tail }]);
      this.#notify(id);
      return true;
    });
  }

  appendLogs(id: string, entry: { attempt: number; first: number; lines: readonly LogLine[] }): void {
    const row = this.#store.find(id);
    if (row === undefined || entry.attempt > row.attempt) return;
    const { seq } = row;
    const { attempt, first } = entry;
    this.#write(() => {
      const most = LIMITS.logLines + 1 - first;
      this.#store.addLogs(
        entry.lines.slice(0, Math.max(most, 0)).map((line, i) => ({ ...line, seq, attempt, line: first + i })),
      );
      this.#notify(id);
    });
  }

  /** Records of synchronous calls, JSON of rows without seq. The same record twice is stored once. */
  record(text: string): void {
    this.#write(() => {
      const rows = JSON.parse(text) as Omit<NewRow, "seq">[];
      this.#store.insert(rows.map((row) => ({ ...row, seq: ++this.#seq })));
      const due = rows[0]?.due;
      if (due !== null && due !== undefined) this.#alarm.by(due);
    });
  }

  find(id: string): ExecutionView | undefined {
    const row = this.#store.find(id);
    return row === undefined ? undefined : toView(row);
  }

  input(id: string): Payload | undefined {
    const row = this.#store.find(id);
    return row === undefined ? undefined : this.#store.input(row.seq);
  }

  output(id: string): Payload | undefined {
    const row = this.#store.find(id);
    return row === undefined ? undefined : this.#store.output(row.seq);
  }

  /** What a replay needs to know of the execution it repeats. */
  original(
    id: string,
  ): { operation: string; lane: string; head: Head; status: ExecutionStatus; input: Payload | undefined } | undefined {
    const row = this.#store.find(id);
    if (row === undefined) return undefined;
    const { operation, lane, seq } = row;
    return {
      operation,
      lane,
      head: JSON.parse(row.head) as Head,
      status: row.status as ExecutionStatus,
      input: this.#store.input(seq),
    };
  }

  list(query: ExecutionQuery, range: IdRange): ExecutionView[] {
    return listRows(this.ctx.storage.sql, query, range).map(toView);
  }

  logs(id: string, options: { after: number; limit: number }): ExecutionLogLine[] | undefined {
    const row = this.#store.find(id);
    return row === undefined ? undefined : this.#logsOf(row.seq, options);
  }

  #logsOf(seq: number, { after, limit }: { after: number; limit: number }): ExecutionLogLine[] {
    const { attempt, line } = afterLogSeq(after);
    return this.ctx.storage.sql
      .exec<LogRow>(
        `SELECT attempt, line, at, level, message FROM logs
         WHERE seq = ? AND (attempt, line) > (?, ?) ORDER BY attempt, line LIMIT ?`,
        ...[seq, attempt, line, limit],
      )
      .toArray()
      .map(toLogLine);
  }

  /** See Executions.watch. */
  async watch(
    id: string,
    { version, afterLog, waitMs }: { version: number; afterLog: number; waitMs: number },
  ): Promise<Watched | undefined> {
    const giveUpAt = Date.now() + waitMs;
    for (;;) {
      const row = this.#store.find(id);
      if (row === undefined) return undefined;
      const logs = this.#logsOf(row.seq, { after: afterLog, limit: 200 });
      const remaining = giveUpAt - Date.now();
      if (row.version > version || logs.length > 0 || remaining <= 0)
        return { version: row.version, view: toView(row), logs };
      await this.#news(id, remaining);
    }
  }

  /** The state when it has ended or the time is over, without its log. */
  async wait(id: string, waitMs: number): Promise<ExecutionView | undefined> {
    const giveUpAt = Date.now() + waitMs;
    for (;;) {
      const row = this.#store.find(id);
      if (row === undefined) return undefined;
      const remaining = giveUpAt - Date.now();
      if (isFinal(row.status as ExecutionStatus) || remaining <= 0) return toView(row);
      await this.#news(id, remaining);
    }
  }

  #news(id: string, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const listeners = this.#listeners.get(id) ?? new Set();
      this.#listeners.set(id, listeners);
      const end = (): void => {
        clearTimeout(timer);
        listeners.delete(end);
        if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
        resolve();
      };
      const timer = setTimeout(end, withinMs);
      listeners.add(end);
    });
  }

  #notify(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  /** The execution as it is then, or undefined when there is none. One that has ended otherwise stays as it is. */
  cancel(id: string): ExecutionView | undefined {
    const row = this.#store.find(id);
    if (row === undefined) return undefined;
    const status = row.status as ExecutionStatus;
    const head = JSON.parse(row.head) as Head;
    if (isFinal(status) || head.mode === "sync") return toView(row);
    return this.#write(() => {
      const now = Date.now();
      const running = this.#queue.running.get(id);
      const tail = running?.tail ?? (JSON.parse(row.tail) as Tail);
      if (running !== undefined) this.#queue.end(running);
      if (row.ready === 1) this.#ready -= 1;
      const decision = finish("cancel", head, { ...tail, error: cancelled(id) }, now, status);
      this.#store.change([{ ...changeOf(row), ready: 0, ...decision }]);
      if (decision.due !== null) this.#alarm.by(decision.due);
      if (row.attempt > 0) {
        this.#store.noteCancelled(id);
        this.#alarm.by(now);
      }
      this.#notify(id);
      this.#launch(this.#pump(now));
      return toView(this.#store.find(id) ?? row);
    });
  }

  /** Cancels what this execution started in this shard. */
  cancelChildren(parent: string): void {
    for (const id of this.#store.unfinishedChildren(parent)) this.cancel(id);
  }

  /** Starts the object, if it was not, and with it what waits in it. */
  wake(): void {
    // The constructor does it.
  }

  override async alarm(): Promise<void> {
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      this.#alarm.fired();
      const now = Date.now();
      this.#write(() => {
        this.#endLeases(now);
        this.#handleDue(now);
        this.#store.forgetKeys(now, DUE_AT_ONCE);
        this.#launch(this.#pump(now));
      });
      await this.#sweep(now);
      await this.#cancelFamilies();
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: `executions: alarm: ${String(error)}` }));
      this.#alarm.by(Date.now() + 1_000);
    } finally {
      const next = this.#store.nextDue();
      if (next !== undefined) this.#alarm.by(Math.max(next, Date.now()));
      this.#armForRunning(Date.now());
      await this.#alarm.flush();
    }
  }

  #endLeases(now: number): void {
    const gone = [...this.#queue.running.values()].filter(({ leasedUntil }) => leasedUntil <= now);
    this.#settle(
      gone.map((running) => interrupted(running, now)),
      now,
    );
  }

  /** Delays that are over make ready, waits that took too long expire. What was kept long enough is for #sweep. */
  #handleDue(now: number): void {
    const changes: RowChange[] = [];
    for (const row of this.#store.dueBy(now, DUE_AT_ONCE)) {
      const status = row.status as ExecutionStatus;
      if (isFinal(status)) continue;
      const head = JSON.parse(row.head) as Head;
      if (head.expires_at !== null && head.expires_at <= now) {
        if (row.ready === 1) this.#ready -= 1;
        const decision = finish("expire", head, JSON.parse(row.tail) as Tail, now, status);
        changes.push({ seq: row.seq, ready: 0, ...decision });
        this.#notify(row.id);
      } else {
        changes.push({ ...changeOf(row), ready: 1, due: head.expires_at });
        this.#ready += 1;
        this.#queue.wait(row.lane);
      }
    }
    this.#store.change(changes);
  }

  async #sweep(now: number): Promise<void> {
    const over = this.#store.dueBy(now, DUE_AT_ONCE).filter(({ status }) => isFinal(status as ExecutionStatus));
    if (over.length === 0) return;
    this.#write(() => this.#store.remove(over.map(({ seq }) => seq)));
  }

  async #cancelFamilies(): Promise<void> {
    for (const parent of this.#store.cancelled()) {
      for (let shard = 0; shard < SHARDS; shard++) {
        await this.env.EXECUTIONS.getByName(nameOfShard(shard)).cancelChildren(parent);
      }
      this.#store.forgetCancelled(parent);
    }
  }

  /** Takes from the lanes in turn what has a place. */
  #pump(now: number): Claim[] {
    const claims: Claim[] = [];
    while (this.#queue.room > 0) {
      const lane = this.#queue.takeTurn();
      if (lane === undefined) break;
      const share = Math.max(1, Math.floor(this.#queue.room / (this.#queue.lanes + 1)));
      const rows = this.#store.readyIn(lane, share + 1);
      const started: Running[] = [];
      for (const row of rows.slice(0, share)) {
        const running = runningOf({ ...row, attempt: row.attempt + 1 }, now + LEASE_MS);
        if (!this.#queue.hasPlace(lane, running.head.limit)) break;
        running.tail = { ...running.tail, started_at: now };
        this.#queue.start(running);
        started.push(running);
      }
      this.#store.start(started.map(({ seq }) => seq));
      this.#ready -= started.length;
      // A lane that stopped for want of a place is woken by whoever leaves one.
      if (rows.length > share && started.length === share) this.#queue.wait(lane);
      for (const { seq, id, operation, attempt, head } of started) {
        this.#notify(id);
        const input = this.#store.input(seq) ?? { text: "null" };
        claims.push({ id, operation, attempt, head, input, ...(head.batch ? { items: this.#store.items(seq) } : {}) });
      }
    }
    return claims;
  }

  /** One message to one stateless invocation. It leaves when what was written so far is on disk. */
  #launch(claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    const { AttemptRunner: runner } = exports as unknown as Loopback;
    void (async () => {
      try {
        await runner.run(this.ctx.id.name ?? "", JSON.stringify(claims));
      } catch (error) {
        console.error(JSON.stringify({ level: "error", message: `executions: a runner was lost: ${String(error)}` }));
        this.#write(() => {
          const now = Date.now();
          const gone = claims.flatMap(({ id, attempt }) => {
            const running = this.#queue.running.get(id);
            return running?.attempt === attempt ? [interrupted(running, now)] : [];
          });
          this.#settle(gone, now);
        });
      }
    })();
  }

  #armForRunning(now: number): void {
    if (this.#queue.running.size > 0) this.#alarm.by(now + LEASE_MS);
  }

  /** All of it or nothing. What fails leaves memory and tables apart, so this object ends and another begins. */
  #write<Result>(work: () => Result): Result {
    try {
      const result = this.ctx.storage.transactionSync(work);
      this.#alarm.set();
      return result;
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: `executions: cannot write: ${String(error)}` }));
      this.ctx.abort(`a write failed: ${String(error)}`);
      throw error;
    }
  }
}

/** The number of shards is fixed when a platform is installed: ids carry it. */
export const SHARDS = 16;

/** The name under which a shard's object is found. */
export function nameOfShard(shard: number): string {
  return `shard-${shard}`;
}

function runningOf(row: Row, leasedUntil: number): Running {
  const { seq, id, operation, lane, attempt } = row;
  const head = JSON.parse(row.head) as Head;
  return { seq, id, operation, lane, attempt, head, tail: JSON.parse(row.tail) as Tail, leasedUntil };
}

function changeOf(row: Row): RowChange {
  return {
    seq: row.seq,
    status: row.status as ExecutionStatus,
    ready: row.ready === 1 ? 1 : 0,
    due: row.due,
    tail: JSON.parse(row.tail) as Tail,
  };
}

function interrupted({ id, operation, attempt, tail }: Running, now: number): Settlement {
  const detail = `Cannot finish "${operation}": its attempt must be heard of until its end; the platform lost it`;
  return {
    id,
    attempt,
    environment: null,
    started_at: tail.started_at ?? now,
    finished_at: now,
    ending: { kind: "interrupted", error: { code: "executor_lost", detail } },
  };
}

function cancelled(id: string): { code: "execution_cancelled"; detail: string } {
  return { code: "execution_cancelled", detail: `Cannot finish the execution "${id}": it was cancelled` };
}

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
import { logError } from "../core/log.ts";
import { inPieces } from "../core/pieces.ts";
import { isFinal, type ExecutionStatus } from "../model/execution-states.ts";
import type { ExecutionLogLine, ExecutionQuery, ExecutionView, Step } from "../model/execution.ts";
import type { LogLine } from "../model/invocation.ts";
import type { ItemOutcome } from "../model/outcome.ts";
import { Acceptance } from "./_acceptance.ts";
import { Alarm } from "../objects/alarm.ts";
import { listIds, listOutputs, type IdRange } from "./_listing.ts";
import { LatestTime } from "../objects/latest-time.ts";
import { News } from "../objects/news.ts";
import { Outbox } from "./_outbox.ts";
import { tellEnded } from "./_tell-ended.ts";
import { Progress } from "./_progress.ts";
import { Queue } from "./_queue.ts";
import { headOf, LEASE_MS, leaseOf, runningOf, type ShardParts } from "./_shard-parts.ts";
import { Store, type NewRow } from "./_store.ts";
import { ArtifactIndex } from "./artifacts/artifact-index.ts";
import type {
  ArtifactShardRpc,
  BeginReply,
  BeginRequest,
  BlobClaim,
  Content,
  FinishReply,
  LocatedArtifact,
  ShardArtifactQuery,
} from "./artifacts/artifact-rpc.ts";
import { PayloadStore } from "./artifacts/payload-store.ts";
import { PayloadSweep } from "./artifacts/payload-sweep.ts";
import type { Accept, Claim, Head, KeyClaim, Payload, Settlement } from "./messages.ts";
import type { Watched } from "./port.ts";
import { toView } from "./view.ts";

/** The number of shards is fixed when a platform is installed: ids carry it. */
export const SHARDS = 16;
/** Attempts of one shard that may be under way at once. */
const CAPACITY = 64;
/** Attempts that are worth a message to a runner; fewer wait GATHER_MS for others. */
const GROUP = 16;
const GATHER_MS = 10;
/** Inputs of one message to a runner; the runtime takes 32 MiB. */
const LAUNCH_CHARS = 4_000_000;
/** Rows handled by one alarm; the next follows at once. */
const DUE_AT_ONCE = 500;
/** Until an execution is looked at again that was kept long enough, but whose output another still refers to. */
const HELD_MS = 60 * 60_000;

export type ShardEnv = {
  EXECUTIONS: DurableObjectNamespace<ExecutionShard>;
  /** Artifacts, and inputs and outputs too large for a row. */
  ARTIFACTS: R2Bucket;
  /** Names one life of the platform's process; undefined where processes come and go unseen (Cloudflare). */
  INCARNATION?: string;
};

type Loopback = {
  AttemptRunner: { run(shard: string, claims: string): Promise<void> };
  TriggerRunner: { completed(shard: string, notes: string): Promise<string> };
};
const loopback = exports as unknown as Loopback;

export class ExecutionShard extends DurableObject<ShardEnv> implements ArtifactShardRpc {
  readonly #parts: ShardParts;
  readonly #acceptance: Acceptance;
  readonly #progress: Progress;
  readonly #artifacts: ArtifactIndex;
  readonly #payloads: PayloadSweep;
  readonly #latest = new LatestTime();
  #pumping = false;

  constructor(state: DurableObjectState, env: ShardEnv) {
    super(state, env);
    const { sql } = state.storage;
    const store = new Store(sql);
    const alarm = new Alarm(state.storage);
    const queue = new Queue(CAPACITY);
    const outbox = new Outbox({
      sql,
      // With what has ended on disk: nobody hears of an end that is taken back.
      tell: (notes) => loopback.TriggerRunner.completed(state.id.name ?? "", notes),
      write: (work) => this.#write(work),
      wake: (at) => alarm.by(at),
      now: Date.now,
    });
    this.#parts = { store, queue, alarm, news: new News(), outbox };
    this.#acceptance = new Acceptance(this.#parts);
    this.#progress = new Progress(this.#parts);
    const common = { shard: shardOfName(state.id.name), sql, bucket: env.ARTIFACTS, now: Date.now };
    this.#artifacts = new ArtifactIndex({
      ...common,
      shards: SHARDS,
      peer: (shard) => env.EXECUTIONS.getByName(nameOfShard(shard)),
      execution: (id) => store.find(id),
      outputsOf: (query) => listOutputs(sql, query),
      wake: (at) => alarm.by(at),
    });
    this.#payloads = new PayloadSweep({ ...common, named: (keys) => store.namedPayloads(keys) });
    const reborn = env.INCARNATION !== undefined && !store.sameIncarnation(env.INCARNATION);
    for (const row of store.running()) queue.start(runningOf(row, reborn ? 0 : leaseOf(headOf(row), Date.now())));
    for (const lane of store.lanesWithReady()) queue.wait(lane);
    queue.ready = store.countReady();
    void state.blockConcurrencyWhile(async () => {
      await alarm.load();
      if (queue.ready > 0 || (reborn && queue.running.size > 0)) alarm.by(Date.now());
      void outbox.send();
      this.#armForNext();
      await alarm.flush();
    });
  }

  /** Stores executions, JSON of Accept[]; answers JSON of AcceptReply[] in their order. What may start, starts. */
  accept(text: string): string {
    return this.#write((now) => {
      const items = JSON.parse(text) as Accept[];
      if (items.some(({ input }) => "key" in input)) this.#payloads.begin();
      const { replies, claims } = this.#acceptance.accept(items, now);
      this.#launch(claims);
      this.#pumpSoon();
      return JSON.stringify(replies);
    });
  }

  /** For a replay that had to go to another shard. */
  linkReplay(original: string, again: string): void {
    this.#write((now) => void this.#acceptance.linkReplay(original, again, now));
  }

  reserve(key: KeyClaim, id: string): { id: string; reused: boolean } {
    return this.#write((now) => this.#acceptance.reserve(key, id, now));
  }

  /** Records of synchronous calls, JSON of rows without seq. */
  record(text: string): void {
    this.#write(() => this.#acceptance.record(JSON.parse(text) as Omit<NewRow, "seq">[]));
  }

  /** Takes endings of attempts, JSON of Settlement[]; answers JSON of Settled. */
  settle(text: string): string {
    return this.#write((now) => {
      const settlements = JSON.parse(text) as Settlement[];
      if (settlements.some(({ ending }) => "output" in ending && ending.output !== undefined && "key" in ending.output))
        this.#payloads.begin();
      const settled = this.#progress.settle(settlements, now);
      const { queue } = this.#parts;
      if (queue.room >= GROUP || queue.running.size === 0) this.#launch(this.#progress.pump(now));
      else this.#pumpSoon();
      return JSON.stringify(settled);
    });
  }

  renew(attempts: readonly { id: string; attempt: number }[]): string[] {
    return this.#progress.renew(attempts, Date.now());
  }

  /** What became of items of a batch so far, JSON by their place. Answers whether the attempt still counts. */
  progress(id: string, attempt: number, items: string): boolean {
    return this.#write(() =>
      this.#progress.noteItems({ id, attempt }, JSON.parse(items) as Record<string, ItemOutcome>),
    );
  }

  /** The steps of a chain so far. Answers whether the attempt still counts. */
  steps(id: string, attempt: number, steps: Step[]): boolean {
    return this.#write(() => this.#progress.noteSteps({ id, attempt }, steps));
  }

  appendLogs(id: string, entry: { attempt: number; first: number; lines: readonly LogLine[] }): void {
    const row = this.#parts.store.find(id);
    if (row !== undefined) this.#write(() => this.#progress.addLogs(row, entry));
  }

  /** The execution as it is then, or undefined when there is none. One that has ended otherwise stays as it is. */
  cancel(id: string): ExecutionView | undefined {
    const { store } = this.#parts;
    const row = store.find(id);
    if (row === undefined || isFinal(row.status as ExecutionStatus) || headOf(row).mode === "sync") {
      return row === undefined ? undefined : toView(row);
    }
    return this.#write((now) => {
      this.#progress.cancel(row, now);
      this.#launch(this.#progress.pump(now));
      return toView(store.find(id) ?? row);
    });
  }

  /** Cancels what these executions have started in this shard. */
  cancelChildren(parents: readonly string[]): void {
    for (const id of parents.flatMap((parent) => this.#parts.store.unfinishedChildren(parent))) this.cancel(id);
  }

  find(id: string): ExecutionView | undefined {
    const row = this.#parts.store.find(id);
    return row === undefined ? undefined : toView(row);
  }

  input(id: string): Payload | undefined {
    const row = this.#parts.store.find(id);
    return row === undefined ? undefined : this.#parts.store.input(row.seq);
  }

  output(id: string): Payload | undefined {
    const row = this.#parts.store.find(id);
    return row === undefined ? undefined : this.#parts.store.output(row.seq);
  }

  /** What a replay needs to know of the execution it repeats. */
  original(
    id: string,
  ): { operation: string; head: Head; status: ExecutionStatus; input: Payload | undefined } | undefined {
    const { store } = this.#parts;
    const row = store.find(id);
    if (row === undefined) return undefined;
    const { operation, seq } = row;
    return { operation, head: headOf(row), status: row.status as ExecutionStatus, input: store.input(seq) };
  }

  /** Newest first. */
  listIds(query: ExecutionQuery, range: IdRange): string[] {
    return listIds(this.ctx.storage.sql, query, range);
  }

  findAll(ids: readonly string[]): ExecutionView[] {
    return this.#parts.store.findAll(ids).map(toView);
  }

  /** What is told of these, JSON of EndedExecution[]: as many of them, from the first, as go into one message. */
  ended(ids: readonly string[], options: { inputs: boolean }): string {
    return tellEnded(this.#parts.store, ids, options);
  }

  logs(id: string, options: { after: number; limit: number }): ExecutionLogLine[] | undefined {
    const row = this.#parts.store.find(id);
    return row === undefined ? undefined : this.#parts.store.logs(row.seq, options);
  }

  /** See Executions.watch. */
  async watch(
    id: string,
    { version, afterLog, waitMs }: { version: number; afterLog: number; waitMs: number },
  ): Promise<Watched | undefined> {
    const { store, news } = this.#parts;
    for (let leftMs = waitMs; ; leftMs = await news.next(id, leftMs)) {
      const row = store.find(id);
      if (row === undefined) return undefined;
      const logs = store.logs(row.seq, { after: afterLog, limit: 200 });
      if (row.version > version || logs.length > 0 || leftMs <= 0)
        return { version: row.version, view: toView(row), logs };
    }
  }

  /** See Executions.wait. */
  async wait(id: string, waitMs: number): Promise<ExecutionView | undefined> {
    const { store, news } = this.#parts;
    for (let leftMs = waitMs; ; leftMs = await news.next(id, leftMs)) {
      const row = store.find(id);
      if (row === undefined) return undefined;
      if (isFinal(row.status as ExecutionStatus) || leftMs <= 0) return toView(row);
    }
  }

  /** For those who watch. */
  load(): { ready: number; running: number } {
    const { ready, running } = this.#parts.queue;
    return { ready, running: running.size };
  }

  /** Starts the object, if it was not, and with it what waits in it. */
  wake(): void {
    // The constructor does it.
  }

  /** See cli/dev/clock-watch.ts. `was`: what time it would be. */
  clockWasSet(was: number): void {
    this.#latest.note(was);
    this.#write((now) => this.#parts.alarm.by(now));
  }

  beginArtifact(request: BeginRequest): BeginReply {
    return this.#write(() => this.#artifacts.beginArtifact(request));
  }

  noteArtifactUpload(id: string, uploadId: string): boolean {
    return this.#write(() => this.#artifacts.noteArtifactUpload(id, uploadId));
  }

  async finishArtifact(id: string, content: Content): Promise<FinishReply> {
    const reply = await this.#artifacts.finishArtifact(id, content);
    this.#parts.alarm.set();
    return reply;
  }

  abandonArtifact(id: string): void {
    this.#write(() => this.#artifacts.abandonArtifact(id));
  }

  locateArtifact(id: string): LocatedArtifact | undefined {
    return this.#artifacts.locateArtifact(id);
  }

  listArtifacts(query: ShardArtifactQuery): ReturnType<ArtifactShardRpc["listArtifacts"]> {
    return this.#artifacts.listArtifacts(query);
  }

  holdArtifacts(execution: string, artifacts: string[]): void {
    this.#write(() => this.#artifacts.holdArtifacts(execution, artifacts));
  }

  claimBlob(claim: BlobClaim): string {
    return this.#write(() => this.#artifacts.claimBlob(claim));
  }

  releaseBlobs(claims: BlobClaim[]): string[] {
    return this.#write(() => this.#artifacts.releaseBlobs(claims));
  }

  keptExecutions(ids: string[]): string[] {
    return this.#artifacts.keptExecutions(ids);
  }

  override async alarm(): Promise<void> {
    const { store, alarm, outbox } = this.#parts;
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      const now = Date.now();
      const lateMs = alarm.fired(now);
      this.#write(() => {
        this.#progress.endLeases(now, lateMs);
        this.#progress.handleDue(store.dueBy(now, DUE_AT_ONCE), now);
        store.forgetKeys(now, DUE_AT_ONCE);
        this.#launch(this.#progress.pump(now));
      });
      void outbox.send();
      await this.#forget(now);
      await this.#artifacts.sweep(now);
      await this.#payloads.sweep(now);
      await this.#cancelFamilies();
    } catch (error) {
      logError("executions: alarm", error);
      alarm.by(Date.now() + 1_000);
    } finally {
      this.#armForNext();
      await alarm.flush();
    }
  }

  /** Executions that were kept long enough, with all that belongs to them. */
  async #forget(now: number): Promise<void> {
    const { store, outbox } = this.#parts;
    const over = store.dueBy(now, DUE_AT_ONCE).filter(({ status }) => isFinal(status as ExecutionStatus));
    if (over.length === 0) return;
    const untold = outbox.holds(over.map(({ id }) => id));
    const ids = over.flatMap(({ id }) => (untold.has(id) ? [] : [id]));
    await this.#artifacts.prepareRelease(ids, now);
    const keys = this.#write(() => {
      const free = new Set(this.#artifacts.release(ids, now));
      const [gone, held] = [over.filter(({ id }) => free.has(id)), over.filter(({ id }) => !free.has(id))];
      const named = store.payloadKeys(gone.map(({ seq }) => seq));
      store.remove(gone.map(({ seq }) => seq));
      store.postpone(
        held.map(({ seq }) => seq),
        now + HELD_MS,
      );
      return named;
    });
    // What is left of them is found by the sweep of payloads.
    if (keys.length > 0) await new PayloadStore(this.env.ARTIFACTS).delete(keys);
  }

  async #cancelFamilies(): Promise<void> {
    const { store } = this.#parts;
    const parents = store.cancelled();
    if (parents.length === 0) return;
    await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) =>
        this.env.EXECUTIONS.getByName(nameOfShard(shard)).cancelChildren(parents),
      ),
    );
    store.forgetCancelled(parents);
  }

  /** One message to one stateless invocation. It leaves when what was written so far is on disk. */
  #launch(claims: readonly Claim[]): void {
    for (const group of inPieces(claims, inputChars, LAUNCH_CHARS)) this.#launchGroup(group);
  }

  #launchGroup(claims: readonly Claim[]): void {
    void (async () => {
      try {
        await loopback.AttemptRunner.run(this.ctx.id.name ?? "", JSON.stringify(claims));
      } catch (error) {
        logError("executions: a runner was lost", error);
        const { running } = this.#parts.queue;
        this.#write((now) => {
          const gone = claims.flatMap(({ id, attempt }) => {
            const current = running.get(id);
            return current?.attempt === attempt ? [current] : [];
          });
          this.#progress.interrupt(gone, now);
          this.#launch(this.#progress.pump(now));
        });
      }
    })();
  }

  /** Starts what waits in a moment, so that many start together. Should the object end before, its alarm does it. */
  #pumpSoon(): void {
    const { queue, alarm } = this.#parts;
    if (this.#pumping || queue.lanes === 0 || queue.room === 0) return;
    this.#pumping = true;
    alarm.by(Date.now() + LEASE_MS);
    setTimeout(() => {
      this.#pumping = false;
      this.#write((now) => this.#launch(this.#progress.pump(now)));
    }, GATHER_MS);
  }

  #armForNext(): void {
    const { store, queue, alarm, outbox } = this.#parts;
    const now = Date.now();
    const times = [store.nextDue(), outbox.nextDue(), this.#artifacts.nextDue(), this.#payloads.nextDue()];
    for (const at of times) if (at !== undefined) alarm.by(Math.max(at, now));
    if (store.cancelled().length > 0) alarm.by(now + 1_000);
    if (queue.running.size > 0) alarm.by(now + LEASE_MS);
  }

  /** The clock was. Waits are counted from when they began: they end as if it had not been. */
  #putBack(byMs: number, now: number): void {
    const { store, outbox } = this.#parts;
    store.putBack(byMs, now);
    outbox.putBack(now);
    this.#armForNext();
  }

  /** All of it or nothing. What fails leaves memory and tables apart, so this object ends and another begins. */
  #write<Result>(work: (now: number) => Result): Result {
    const { queue, alarm } = this.#parts;
    try {
      const now = Date.now();
      const putBackMs = this.#latest.putBackMs(now);
      const result = this.ctx.storage.transactionSync(() => {
        if (putBackMs > 0) this.#putBack(putBackMs, now);
        return work(now);
      });
      if (queue.running.size > 0) alarm.by(now + LEASE_MS);
      alarm.set();
      return result;
    } catch (error) {
      logError("executions: cannot write", error);
      this.ctx.abort(`a write failed: ${String(error)}`);
      throw error;
    }
  }
}

/** The name under which a shard's object is found. */
export function nameOfShard(shard: number): string {
  return `shard-${shard}`;
}

function inputChars({ input }: Claim): number {
  return "text" in input ? input.text.length : 0;
}

function shardOfName(name: string | undefined): number {
  const shard = /^shard-([0-9]+)$/.exec(name ?? "")?.[1];
  if (shard === undefined) throw new TypeError(`an execution shard must be named by nameOfShard(); it is ${name}`);
  return Number(shard);
}

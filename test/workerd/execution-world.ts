/// <reference types="@cloudflare/vitest-pool-workers/types" />
/**
 * Execution shards whose runner, clock, incarnation and neighbours the tests hold. Tests and shards share one isolate, so
 * a world is a plain object. The clock stands still, years ahead: no alarm fires unless a test rings it.
 */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env as bindings, WorkerEntrypoint } from "cloudflare:workers";
import { newExecutionId } from "../../src/core/ids.ts";
import {
  ExecutionShard as RealShard,
  nameOfShard,
  SHARDS,
  type ShardEnv,
} from "../../src/executions/execution-shard.ts";
import type { EndNote } from "../../src/model/ended.ts";
import type { Accept, AcceptReply, Claim, Ending, Head, Settled, Settlement } from "../../src/executions/messages.ts";

type Namespace = DurableObjectNamespace<RealShard>;

export const START = Date.UTC(2040, 0, 1);
export const SECOND = 1_000;
export const DAY = 24 * 60 * 60_000;

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var executionWorlds: Map<string, TestWorld> | undefined;
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var executionRealNow: (() => number) | undefined;
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var executionClock: { now: number; startedAt: number | undefined } | undefined;
}

// This file is loaded more than once into one isolate.
const realNow = (globalThis.executionRealNow ??= Date.now.bind(Date));
export const clock = (globalThis.executionClock ??= { now: START, startedAt: undefined });
Date.now = () => clock.now + (clock.startedAt === undefined ? 0 : realNow() - clock.startedAt);

/** From here it goes on by itself, for tests of what waits for a time. */
export function startClock(): void {
  clock.startedAt ??= realNow();
}

export function stopClock(): void {
  clock.now = Date.now();
  clock.startedAt = undefined;
}

const worlds = (globalThis.executionWorlds ??= new Map());

function worldOf(name: string | undefined): TestWorld {
  const world = worlds.get(name?.split("/")[0] ?? "");
  if (world === undefined) throw new TypeError(`a shard's name must begin with that of a world; it is ${name}`);
  return world;
}

/** Named `<world>/<name of the shard>`; while it is made it believes that it has only the second part. */
export class ExecutionShard extends RealShard {
  constructor(state: DurableObjectState, env: ShardEnv) {
    const { id } = state;
    const world = worldOf(id.name);
    Object.defineProperty(state, "id", { value: { name: id.name?.split("/")[1] }, configurable: true });
    super(state, {
      EXECUTIONS: world.namespace(env.EXECUTIONS),
      ARTIFACTS: env.ARTIFACTS,
      ...(world.incarnation === undefined ? {} : { INCARNATION: world.incarnation }),
    });
    Object.defineProperty(state, "id", { value: id });
  }

  rows(query: string, values: SqlStorageValue[]): Record<string, SqlStorageValue>[] {
    return this.ctx.storage.sql.exec(query, ...values).toArray();
  }

  alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm();
  }

  /** As the runtime does it: the alarm is forgotten, then the handler called. */
  async ring(): Promise<boolean> {
    const at = await this.ctx.storage.getAlarm();
    if (at === null) return false;
    await this.ctx.storage.deleteAlarm();
    await this.alarm();
    return true;
  }
}

/** Takes the claims and runs nothing: the test says how each attempt ends. */
export class AttemptRunner extends WorkerEntrypoint {
  run(shard: string, claims: string): void {
    const world = worldOf(shard);
    if (world.runnersAreLost) throw new Error("no runner starts");
    for (const claim of JSON.parse(claims) as Claim[]) {
      world.launched.push(claim);
      const name = `${claim.id} ${claim.attempt}`;
      world.launches.set(name, (world.launches.get(name) ?? 0) + 1);
    }
  }
}

/** Takes notes of ends and answers for those that the test does not hold back. */
export class TriggerRunner extends WorkerEntrypoint {
  async completed(shard: string, text: string): Promise<string> {
    const world = worldOf(shard);
    const notes = JSON.parse(text) as EndNote[];
    world.told.push(notes.map(({ id }) => id));
    world.groups.push(...notes.map(({ group }) => group));
    await world.beforeTold?.();
    if (world.tellersAreLost) throw new Error("no teller starts");
    return JSON.stringify(notes.flatMap(({ id }) => (world.untold.has(id) ? [] : [id])));
  }
}

export class TestWorld {
  readonly name = crypto.randomUUID();
  incarnation: string | undefined;
  runnersAreLost = false;
  /** Shards that do not answer. */
  readonly silent = new Set<string>();
  /** What was told, message by message; the last answer may have been lost. */
  readonly told: string[][] = [];
  readonly groups: string[] = [];
  /** Ends that cannot be told. */
  readonly untold = new Set<string>();
  tellersAreLost = false;
  beforeTold: (() => Promise<void>) | undefined;
  readonly launched: Claim[] = [];
  /** How often each attempt was launched, by `<id> <attempt>`. */
  readonly launches = new Map<string, number>();

  constructor() {
    clock.now = START;
    clock.startedAt = undefined;
    worlds.set(this.name, this);
  }

  namespace(real: Namespace = (bindings as unknown as ShardEnv).EXECUTIONS): Namespace {
    return {
      getByName: (name: string) => {
        if (this.silent.has(name)) throw new Error(`${name} does not answer`);
        return real.getByName(`${this.name}/${name}`);
      },
    } as unknown as Namespace;
  }

  shard(shard = 0): DurableObjectStub<RealShard> {
    return this.namespace().getByName(nameOfShard(shard));
  }

  /** Work within the object, in one turn. */
  inside<T>(work: (shard: RealShard, state: DurableObjectState) => T | Promise<T>, shard = 0): Promise<T> {
    return runInDurableObject(this.shard(shard), work);
  }

  async rows<T extends Record<string, SqlStorageValue>>(query: string, ...values: SqlStorageValue[]): Promise<T[]> {
    return (await this.#own().rows(query, values)) as unknown as T[];
  }

  async accept(items: readonly Accept[], shard = 0): Promise<AcceptReply[]> {
    return JSON.parse(await this.shard(shard).accept(JSON.stringify(items))) as AcceptReply[];
  }

  async settle(settlements: readonly Settlement[], shard = 0): Promise<Settled> {
    return JSON.parse(await this.shard(shard).settle(JSON.stringify(settlements))) as Settled;
  }

  /** Rings the alarm, whenever it is set to; false: none is. */
  ring(shard = 0): Promise<boolean> {
    return this.#own(shard).ring();
  }

  alarmAt(shard = 0): Promise<number | null> {
    return this.#own(shard).alarmAt();
  }

  #own(shard = 0): DurableObjectStub<ExecutionShard> {
    return this.shard(shard) as unknown as DurableObjectStub<ExecutionShard>;
  }

  /** Rings each alarm that is due by then, in order. */
  async ringUntil(until: number, shard = 0): Promise<void> {
    for (let rings = 0; rings < 200; rings++) {
      const at = await this.alarmAt(shard);
      if (at === null || at > until) {
        clock.now = until;
        return;
      }
      clock.now = Math.max(clock.now, at);
      await this.ring(shard);
    }
    throw new Error("the alarms never come to rest");
  }

  /** Memory is gone, tables are there. */
  async restart(shard = 0): Promise<void> {
    await this.shard(shard).wake();
    await evictDurableObject(this.shard(shard));
  }

  async status(id: string, shard = 0): Promise<string | undefined> {
    return (await this.shard(shard).find(id))?.status;
  }

  /** The attempts that were launched since the last look, in order: all that the tables call running have arrived. */
  async claims(shard = 0): Promise<Claim[]> {
    await until(async () => {
      const rows = (await this.#own(shard).rows(
        "SELECT id, attempt FROM executions WHERE status = 'running' AND head ->> 'mode' = 'async'",
        [],
      )) as unknown as { id: string; attempt: number }[];
      return rows.every(({ id, attempt }) => this.launches.has(`${id} ${attempt}`));
    });
    return this.launched.splice(0);
  }

  /** Whatever runs succeeds, until nothing does. */
  async finishAll(shard = 0): Promise<void> {
    for (;;) {
      const running = (await this.#own(shard).rows(
        "SELECT id, attempt FROM executions WHERE status = 'running'",
        [],
      )) as unknown as { id: string; attempt: number }[];
      if (running.length === 0) return;
      await this.settle(
        running.map((claim) => ended(claim)),
        shard,
      );
    }
  }

  async taken(shard = 0): Promise<string[]> {
    return (await this.claims(shard)).map(({ id }) => id);
  }
}

export function head(changes: Partial<Head> = {}): Head {
  return {
    mode: "async",
    revision: 1,
    digest: "d",
    caller: { type: "token", id: "tok" },
    principal: "tok",
    traceparent: "00-0-0-01",
    depth: 0,
    accepted_at: clock.now,
    timeout_ms: 60_000,
    retry: { max_attempts: 4, initial_ms: 200, max_ms: 30_000 },
    retention_ms: DAY,
    expires_at: null,
    limit: null,
    batch: false,
    replay_of: null,
    ...changes,
  };
}

/** Polls as fast as the runtime allows. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 2_000): Promise<void> {
  const giveUpAt = realNow() + withinMs;
  while (!(await holds())) {
    if (realNow() > giveUpAt) throw new Error(`it never holds: ${String(holds)}`);
    await scheduler.wait(1);
  }
}

/** Always the same numbers for the same seed: 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One accept; the time of each id is later than that of the one before, so that ids sort as they were made. */
let made = 0;
export function item({
  shard = 0,
  head: changes,
  ...rest
}: Partial<Omit<Accept, "head">> & { shard?: number; head?: Partial<Head> } = {}): Accept {
  const operation = rest.operation ?? "work";
  return {
    id: newExecutionId(shard, clock.now + made++),
    operation,
    head: head(changes),
    lane: operation,
    max_queued: null,
    // Starts with its message; others wait a moment for company.
    urgent: true,
    parent: null,
    due: null,
    input: { text: "{}" },
    ...rest,
  };
}

export const ERROR = { code: "implementation_failed", detail: "it threw" } as const;

export function ended(
  claim: { id: string; attempt?: number },
  ending: Ending = { kind: "succeeded", output: { text: '"out"' }, sha256: "ab", size_bytes: 5 },
): Settlement {
  const { id, attempt = 1 } = claim;
  return { id, attempt, environment: "inline", started_at: clock.now, finished_at: clock.now, ending };
}

export const failed: Ending = { kind: "failed", error: ERROR, retry: { kind: "may" } };
export const terminal: Ending = { kind: "failed", error: ERROR, retry: { kind: "never" } };

export { SHARDS };

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;

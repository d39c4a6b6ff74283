/// <reference types="@cloudflare/vitest-pool-workers/types" />
/**
 * Execution shards whose runner, clock, incarnation and neighbours the tests hold. Tests and shards share one isolate, so
 * a world is a plain object. The clock stands still, years ahead: no alarm fires unless a test rings it.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env as bindings, WorkerEntrypoint } from "cloudflare:workers";
import { newExecutionId } from "../../src/core/ids.ts";
import {
  ExecutionShard as RealShard,
  nameOfShard,
  SHARDS,
  type ShardEnv,
} from "../../src/executions/execution-shard.ts";
import type { Accept, AcceptReply, Claim, Ending, Head, Settled, Settlement } from "../../src/executions/messages.ts";

type Namespace = DurableObjectNamespace<RealShard>;

export const START = Date.UTC(2040, 0, 1);
export const SECOND = 1_000;
export const DAY = 24 * 60 * 60_000;

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var executionWorlds: Map<string, TestWorld> | undefined;
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var executionClock: { now: number; runs: boolean } | undefined;
}

const realNow = Date.now.bind(Date);
/** `runs`: it goes on by itself from there, for tests of what waits for a time. */
export const clock = (globalThis.executionClock ??= { now: START, runs: false });
const ranFrom = realNow();
Date.now = () => clock.now + (clock.runs ? realNow() - ranFrom : 0);

const worlds = (globalThis.executionWorlds ??= new Map());

function worldOf(name: string | undefined): TestWorld {
  const world = worlds.get(name?.split("/")[0] ?? "");
  if (world === undefined) throw new TypeError(`a shard's name must begin with that of a world; it is ${name}`);
  return world;
}

export class ExecutionShard extends RealShard {
  constructor(state: DurableObjectState, env: ShardEnv) {
    const world = worldOf(state.id.name);
    const { incarnation } = world;
    super(state, {
      EXECUTIONS: world.namespace(env.EXECUTIONS),
      ...(incarnation === undefined ? {} : { INCARNATION: incarnation }),
    });
  }
}

/** Takes the claims and runs nothing: the test says how each attempt ends. */
export class AttemptRunner extends WorkerEntrypoint {
  run(shard: string, claims: string): void {
    const world = worldOf(shard);
    if (world.runnersAreLost) throw new Error("no runner starts");
    world.launched.push(...(JSON.parse(claims) as Claim[]));
  }
}

export class TestWorld {
  readonly name = crypto.randomUUID();
  incarnation: string | undefined;
  runnersAreLost = false;
  /** Shards that do not answer. */
  readonly silent = new Set<string>();
  readonly launched: Claim[] = [];

  constructor() {
    clock.now = START;
    clock.runs = false;
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
    return this.inside((_, { storage }) => storage.sql.exec<T>(query, ...values).toArray());
  }

  async accept(items: readonly Accept[], shard = 0): Promise<AcceptReply[]> {
    return JSON.parse(await this.shard(shard).accept(JSON.stringify(items))) as AcceptReply[];
  }

  async settle(settlements: readonly Settlement[], shard = 0): Promise<Settled> {
    return JSON.parse(await this.shard(shard).settle(JSON.stringify(settlements))) as Settled;
  }

  /** Rings the alarm, wherever it is set to; false: none is. */
  ring(shard = 0): Promise<boolean> {
    return runDurableObjectAlarm(this.shard(shard));
  }

  alarmAt(shard = 0): Promise<number | null> {
    return this.inside((_, { storage }) => storage.getAlarm(), shard);
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
    await evictDurableObject(this.shard(shard));
  }

  async status(id: string, shard = 0): Promise<string | undefined> {
    return (await this.shard(shard).find(id))?.status;
  }

  /** Ids of the attempts that were launched since the last look, in order. */
  taken(): string[] {
    return this.launched.splice(0).map(({ id }) => id);
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

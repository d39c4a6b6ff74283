/// <reference types="@cloudflare/vitest-pool-workers/types" />
/**
 * Scheduler objects whose registry, executions and clock the tests hold. What starts due times and what tells of changed
 * rows is the real code, on a registry and a keeper of executions that are plain objects: they lie outside of the object,
 * where they survive it. The clock stands still, years ahead: no alarm fires unless a test rings it.
 */
import { operationOf } from "../../src/model/_operation.test-util.ts";
import { evictDurableObject } from "cloudflare:test";
import { env as bindings, WorkerEntrypoint } from "cloudflare:workers";
import { SwitchyardError, type ErrorCode } from "../../src/core/errors.ts";
import type { DispatchPorts, KeptCall } from "../../src/dispatch/dispatch.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import type { ResolvedOperation } from "../../src/model/resolved.ts";
import type { Schedule, TriggerHandle } from "../../src/model/triggers.ts";
import { changesFor } from "../../src/triggers/schedules/changes.ts";
import { fireAll, type FirePorts } from "../../src/triggers/schedules/fire.ts";
import type { ChangesOrder, FireOrder } from "../../src/triggers/schedules/messages.ts";
import { Scheduler as RealScheduler } from "../../src/triggers/schedules/scheduler.ts";
import { SCHEDULER_SHARDS, shardOfSchedule } from "../../src/triggers/schedules/shards.ts";
import { die, mortal, ringUntil } from "./_mortal.ts";

export const START = Date.UTC(2040, 0, 1, 12);
export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var scheduleWorlds: TestWorld[] | undefined;
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var scheduleClock: { now: number } | undefined;
}

// This file is loaded more than once into one isolate.
const worlds = (globalThis.scheduleWorlds ??= []);
export const clock = (globalThis.scheduleClock ??= { now: START });
Date.now = () => clock.now;

/** Objects are named `<world>-<copy>-scheduler-<shard>`: two copies are two clocks over the same registry. */
function worldOf(name: string | undefined): TestWorld {
  const world = worlds[Number(name?.split("-")[0])];
  if (world === undefined) throw new TypeError(`an object's name must begin with that of a world; it is ${name}`);
  return world;
}

export class Scheduler extends RealScheduler {
  constructor(state: DurableObjectState, env: unknown) {
    const world = worldOf(state.id.name);
    mortal(state, world, () => die(state));
    super(state, env);
  }

  rows(query: string): Record<string, SqlStorageValue>[] {
    return this.ctx.storage.sql.exec(query).toArray();
  }

  alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm();
  }

  /** As the runtime does it: the alarm is forgotten, then the handler called. */
  async ring(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.alarm();
  }

  /** What is written is on disk, so messages have left; and nothing is leased to anybody who starts it. */
  async rest(): Promise<void> {
    const world = worldOf(this.ctx.id.name);
    const LEASE_MS = 30_000;
    // Twice: between an answer and what follows from it nothing is on its way for a moment.
    for (let quiet = 0; quiet < 2;) {
      await this.ctx.storage.sync();
      await world.rest();
      const { n } = this.ctx.storage.sql
        .exec<{ n: number }>("SELECT count(*) AS n FROM firings WHERE retry_at = ?", clock.now + LEASE_MS)
        .one();
      quiet = n === 0 ? quiet + 1 : 0;
    }
  }

  /** Rings each alarm that is due by then, in order; what each sets off comes to rest before the next. */
  ringUntil(time: number): Promise<void> {
    const { storage } = this.ctx;
    const rest = async () => {
      await this.rest();
      // Of a test that took too long: the clock is another's now.
      if (worldOf(this.ctx.id.name) !== worlds.at(-1)) throw new Error("this world is over");
    };
    return ringUntil(time, { storage, clock, rest, alarm: () => this.alarm(), most: 1_000 });
  }
}

/** The world of a message is that of its schedules: their names begin with its number. */
export class TriggerRunner extends WorkerEntrypoint {
  async fire(text: string): Promise<string> {
    const orders = JSON.parse(text) as FireOrder[];
    const world = worldOf(orders[0]?.name.slice(1).replace("_", "-"));
    return world.during(async () => {
      world.messages.push(orders);
      if (world.runnersAreLost) throw new Error("no runner starts");
      await world.beforeFire?.();
      const answers = await fireAll(orders, world.ports);
      if (world.answersAreLost) throw new Error("the answer is lost");
      return JSON.stringify(answers);
    });
  }

  async schedules(text: string): Promise<string> {
    const { since, shard: place } = JSON.parse(text) as ChangesOrder;
    // See TestWorld.shard(): the number carries both.
    const world = worldOf(String(Math.floor(place / SCHEDULER_SHARDS)));
    const order = { since, shard: place % SCHEDULER_SHARDS };
    return world.during(async () => JSON.stringify(await changesFor(order, world.ports.registry)));
  }
}

type Row = TriggerHandle<"schedule">;
type Kept = { id: string; call: KeptCall; at: number; status: ExecutionView["status"] };

export class TestWorld {
  readonly number = worlds.push(this) - 1;
  readonly rows = new Map<string, Row>();
  readonly changes: { seq: number; name: string }[] = [];
  readonly executions: Kept[] = [];
  readonly messages: FireOrder[][] = [];
  /** What the operation is now; refusals that dispatch answers with. */
  operation: Partial<ResolvedOperation> = {};
  refusal: ErrorCode | undefined;
  registryIsDown = false;
  runnersAreLost = false;
  answersAreLost = false;
  beforeFire: (() => Promise<void>) | undefined;
  /** Transactions of the object so far, and around which of them it dies. */
  writes = 0;
  dieBefore: number | undefined;
  dieAfter: number | undefined;
  #underWay = 0;

  constructor() {
    clock.now = START;
  }

  name(name: string): string {
    return `w${this.number}_${name}`;
  }

  /** Writes the row, and tells nobody. */
  write(name: string, fields: Partial<Schedule> = {}): void {
    const full = this.name(name);
    const before = this.rows.get(full);
    const seq = this.changes.length + 1;
    this.changes.push({ seq, name: full });
    this.rows.set(full, {
      description: "",
      active: true,
      operation: "work",
      scopes: ["ops:invoke"],
      cron: null,
      time_zone: "UTC",
      every_ms: MINUTE,
      input: { n: 1 },
      overlap: "allow",
      catch_up: "last",
      catch_up_ms: 24 * HOUR,
      jitter_ms: 0,
      ...before,
      ...fields,
      name: full,
      digest: `digest-${seq}`,
      revision: (before?.revision ?? 0) + 1,
      updated_at: new Date(clock.now).toISOString(),
    });
  }

  remove(name: string): void {
    this.changes.push({ seq: this.changes.length + 1, name: this.name(name) });
    this.rows.delete(this.name(name));
  }

  /** As the write route does. */
  async put(name: string, fields: Partial<Schedule> = {}): Promise<void> {
    this.write(name, fields);
    await this.of(name).changed(this.changes.length);
    await this.rest();
  }

  of(name: string, copy = 0): DurableObjectStub<Scheduler> {
    return this.shard(shardOfSchedule(this.name(name)), copy);
  }

  shard(shard: number, copy = 0): DurableObjectStub<Scheduler> {
    const { SCHEDULER } = bindings as unknown as { SCHEDULER: DurableObjectNamespace<Scheduler> };
    return SCHEDULER.getByName(`${this.number}-${copy}-scheduler-${this.number * SCHEDULER_SHARDS + shard}`);
  }

  /** Memory is gone, tables are there. */
  async restart(name: string): Promise<void> {
    await this.rest();
    await evictDurableObject(this.of(name));
  }

  /** Time passes until then, for this object; its death is survived, as by the runtime. */
  async until(name: string, time: number, copy = 0): Promise<void> {
    for (let deaths = 0; deaths < 10; deaths++) {
      try {
        await this.of(name, copy).ringUntil(time);
        return;
      } catch (error) {
        if (!/killed by the test/.test(String(error))) throw error;
        // The runtime rings again, since the handler did not end.
        clock.now = Math.min(clock.now, time);
        await this.rest();
        await this.of(name, copy)
          .look()
          .catch(() => undefined);
      }
    }
    throw new Error("the object dies again and again");
  }

  async history(
    name: string,
  ): Promise<{ due: number; status: string; reason: string | null; execution_id: string | null }[]> {
    const ask = () => this.of(name).history(this.name(name), { limit: 100, before: undefined });
    // It may have died after the last that was waited for.
    return ((await ask().catch(ask)) ?? []).toReversed();
  }

  /** Due times of the executions that there are, in the order of their acceptance. */
  started(name: string): number[] {
    const own = this.executions.filter(({ call }) => call.caller.id === this.name(name));
    return own.map(({ call }) => Date.parse(call.idempotencyKey?.split(" ")[1] ?? ""));
  }

  end(execution: number): void {
    const kept = this.executions[execution];
    if (kept !== undefined) kept.status = "succeeded";
  }

  endAll(): void {
    for (const kept of this.executions) kept.status = "succeeded";
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Nothing is on its way any more. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet = this.#underWay === 0 ? quiet + 1 : 0) await scheduler.wait(0);
  }

  get ports(): FirePorts & { registry: Registry } {
    return {
      registry: this.#registry(),
      dispatch: this.#dispatch(),
      executions: {
        find: async (id) => {
          const kept = this.executions.find((each) => each.id === id);
          return kept === undefined ? undefined : ({ id, status: kept.status } as ExecutionView);
        },
        cancel: async (id) => {
          const kept = this.executions.find((each) => each.id === id);
          if (kept?.status === "running") kept.status = "cancelled";
          return kept === undefined ? undefined : ({ id, status: kept.status } as ExecutionView);
        },
      },
    };
  }

  #registry(): Registry {
    const answered = () => {
      if (this.registryIsDown) throw new SwitchyardError("registry_unavailable", "Cannot reach the registry");
    };
    return {
      triggersNamed: (async (_kind: string, names: readonly string[]) => {
        answered();
        return names.flatMap((name) => this.rows.get(name) ?? []);
      }) as never,
      triggersChangedSince: async (_kind, since, limit) => {
        answered();
        const found = this.changes.filter(({ seq }) => seq > since).slice(0, limit);
        const more = found.length === limit;
        const upto = more ? (found.at(-1)?.seq ?? 0) : this.changes.length;
        return { names: [...new Set(found.map(({ name }) => name))], upto, more };
      },
    };
  }

  /** The real dispatch, over one operation and a keeper that keeps keys as the real one does. */
  #dispatch(): DispatchPorts {
    const operation = operationOf("work", this.operation);
    return {
      now: () => clock.now,
      registry: {
        resolve: async () => {
          if (this.refusal !== undefined) throw new SwitchyardError(this.refusal, `Cannot start it: ${this.refusal}`);
          return { operation, stale: false };
        },
      },
      keeper: {
        keep: async (call: KeptCall) => {
          const same = this.executions.find(
            (each) => each.call.principal.id === call.principal.id && each.call.idempotencyKey === call.idempotencyKey,
          );
          if (same !== undefined && same.call.input.text !== call.input.text) {
            throw new SwitchyardError("idempotency_key_reused", "Cannot call it with this Idempotency-Key");
          }
          if (same !== undefined) return { id: same.id, repeated: true };
          const id = `ex_${this.executions.length}`;
          this.executions.push({ id, call, at: clock.now, status: "running" });
          return { id, repeated: false };
        },
      },
    } as unknown as DispatchPorts;
  }
}

type Registry = Parameters<typeof changesFor>[1];

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;

/// <reference types="@cloudflare/vitest-pool-workers/types" />
/**
 * Agents' objects whose registry, executions and clock the tests hold. What plans and what carries out steps is the real code,
 * on a registry and a keeper of executions that are plain objects: they lie outside of the object, where they survive it. The
 * clock stands still, years ahead: no alarm fires unless a test rings it.
 */
import { operationOf } from "../../src/model/_operation.test-util.ts";
import { env as bindings, WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import { AgentObject as RealAgentObject, type AgentStatus } from "../../src/agents/agent-object.ts";
import * as agentRunner from "../../src/agents/agent-runner.ts";
import { settingsOf } from "../../src/agents/rows.ts";
import type { AgentRunnerPorts } from "../../src/agents/agent-runner.ts";
import { SwitchyardError, type ErrorCode } from "../../src/core/errors.ts";
import type { DispatchPorts, KeptCall } from "../../src/dispatch/dispatch.ts";
import { AgentSchema, JobSchema, type JobRow } from "../../src/model/agents.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import type { TriggerHandle } from "../../src/model/triggers.ts";
import { die, mortal, ringUntil } from "./_mortal.ts";

export const START = Date.UTC(2040, 0, 1, 12);
export const SECOND = 1_000;

declare global {
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var agentWorlds: TestWorld[] | undefined;
  // oxlint-disable-next-line no-var -- the only way to declare a member of globalThis
  var agentClock: { now: number } | undefined;
}

// This file is loaded more than once into one isolate.
const worlds = (globalThis.agentWorlds ??= []);
export const clock = (globalThis.agentClock ??= { now: START });
Date.now = () => clock.now;

/** Agents are named `w<world>_<name>`. */
function worldOf(name: string | undefined): TestWorld {
  const world = worlds[Number(/^w([0-9]+)_/.exec(name ?? "")?.[1])];
  if (world === undefined) throw new TypeError(`an agent's name must begin with that of a world; it is ${name}`);
  return world;
}

export class AgentObject extends RealAgentObject {
  constructor(state: DurableObjectState, env: unknown) {
    const world = worldOf(state.id.name);
    mortal(state, world, () => dieIn(world, state));
    super(state, env);
  }

  rows(query: string): Record<string, SqlStorageValue>[] {
    return this.ctx.storage.sql.exec(query).toArray();
  }

  alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm();
  }

  /** What is written is on disk, so messages have left, and what they brought is written. */
  async rest(): Promise<void> {
    const world = worldOf(this.ctx.id.name);
    // Between a message that leaves and whoever takes it nothing is on its way for a moment; what was lost is not waited for.
    for (let quiet = 0, writes = world.writes, turns = 0; quiet < 3 && turns < 100; turns++) {
      await this.ctx.storage.sync();
      await world.rest();
      quiet = world.writes === writes && !this.#isAnswered(world) ? quiet + 1 : 0;
      writes = world.writes;
    }
  }

  /** Something is asked for that nothing holds back. */
  #isAnswered(world: TestWorld): boolean {
    const { sql } = this.ctx.storage;
    const head = sql.exec<{ head: string }>("SELECT head FROM agent").toArray()[0];
    if (head !== undefined && (JSON.parse(head.head) as { phase: string }).phase === "planning") return true;
    const steps = sql.exec<{ execution_id: string | null }>(
      "SELECT execution_id FROM steps WHERE status = 'started' AND retry_at IS NULL",
    );
    const held = new Set(world.executions.filter(({ outcome }) => outcome === undefined).map(({ id }) => id));
    return steps.toArray().some(({ execution_id: id }) => id === null || !held.has(id));
  }

  /** Memory is gone, tables are there. */
  kill(): void {
    dieIn(worldOf(this.ctx.id.name), this.ctx);
  }

  /** Rings each alarm that is due by then, in order; what each sets off comes to rest before the next. */
  ringUntil(time: number): Promise<void> {
    const { storage } = this.ctx;
    return ringUntil(time, { storage, clock, rest: () => this.rest(), alarm: () => this.alarm(), most: 500 });
  }
}

function dieIn(world: TestWorld, state: DurableObjectState): never {
  world.forget();
  die(state);
}

/** The real one over the world's ports. */
export class AgentRunner extends WorkerEntrypoint {
  look(agent: string): Promise<string> {
    const world = worldOf(agent);
    return world.during(() => agentRunner.lookFor(agent, world.ports));
  }

  plan(text: string): Promise<string> {
    const world = worldOf((JSON.parse(text) as { agent: string }).agent);
    world.plans += 1;
    return world.during(async () => {
      const answer = await agentRunner.planText(text, world.ports);
      await world.beforeAnswer?.();
      return answer;
    });
  }

  /** Each by itself, so that those that wait for an execution can be told from the others. */
  async run(agent: string, text: string): Promise<void> {
    const world = worldOf(agent);
    const orders = JSON.parse(text) as unknown[];
    await Promise.all(
      orders.map((order) => world.during(() => agentRunner.runText(agent, JSON.stringify([order]), world.ports))),
    );
  }

  sense(text: string): Promise<string> {
    const world = worldOf((JSON.parse(text) as { agent: string }).agent);
    return world.during(() => agentRunner.senseText(text, world.ports));
  }

  cancel(text: string): Promise<void> {
    const world = worlds.find(({ executions }) => executions.some(({ id }) => text.includes(`"${id}"`)));
    return world === undefined ? Promise.resolve() : agentRunner.cancelAll(text, world.ports);
  }
}

type Row = TriggerHandle<"agent">;
type Kept = {
  id: string;
  call: KeptCall;
  status: ExecutionView["status"];
  outcome?: Outcome;
};

export const SUCCESS: Outcome = { ok: true, output: "null", logs: [] };

export class TestWorld {
  readonly number = worlds.push(this) - 1;
  readonly jobs = new Map<string, JobRow>();
  row: Row | undefined;
  readonly executions: Kept[] = [];
  /** What operations have done outside, by the path that they were given. */
  readonly outside = new Map<string, number>();
  plans = 0;
  /** Executions do not end by themselves. */
  holds = false;
  /** How many of an operation's executions fail from now on. */
  readonly failing = new Map<string, number>();
  /** What sensors' operations answer, or what says it. */
  readonly seen = new Map<string, unknown>();
  refusal: ErrorCode | undefined;
  beforeAnswer: (() => Promise<void>) | undefined;
  /** Transactions of the object so far, and around which of them it dies. */
  writes = 0;
  dieBefore: number | undefined;
  dieAfter: number | undefined;
  #underWay = 0;
  #revision = 0;
  #life = 0;

  constructor() {
    clock.now = START;
  }

  get agent(): string {
    return `w${this.number}_agent`;
  }

  job(fields: object): void {
    const row = v.parse(JobSchema, fields);
    this.jobs.set(row.name, row);
  }

  write(fields: object = {}): void {
    this.#revision += 1;
    const { digest: _digest, revision: _revision, updated_at: _at, ...before } = this.row ?? ({} as Row);
    const jobs = [...this.jobs.keys()];
    const manifest = v.parse(AgentSchema, { ...before, jobs, ...fields, name: this.agent });
    this.row = {
      ...manifest,
      digest: `digest-${this.#revision}`,
      revision: this.#revision,
      updated_at: new Date(clock.now).toISOString(),
    };
  }

  /** As the write route does. */
  async put(fields: object = {}): Promise<void> {
    this.write(fields);
    await this.stub.changed();
    await this.rest();
  }

  get stub(): DurableObjectStub<AgentObject> {
    const { AGENTS } = bindings as unknown as { AGENTS: DurableObjectNamespace<AgentObject> };
    return AGENTS.getByName(this.agent);
  }

  async seek(target: unknown, cancel = false): Promise<void> {
    await this.#insist(() => this.stub.seek(JSON.stringify({ settings: this.#settings(), target, cancel })));
  }

  async sense(path: string, value?: unknown): Promise<void> {
    await this.#insist(() => this.stub.sense(JSON.stringify({ settings: this.#settings(), path, value })));
  }

  #settings(): unknown {
    if (this.row === undefined) this.write();
    return settingsOf(this.row as Row);
  }

  /** As a caller who was not answered asks again. */
  async #insist(ask: () => Promise<unknown>): Promise<void> {
    try {
      await this.#orDeath(ask);
    } catch (error) {
      if (!/killed by the test/.test(String(error))) throw error;
      await ask();
    }
  }

  /** Time passes until then; deaths are survived, as by the runtime, which rings again since the handler did not end. */
  async until(time: number): Promise<void> {
    for (let deaths = 0; deaths < 10; deaths++) {
      try {
        await this.#orDeath(() => this.stub.ringUntil(time));
        return;
      } catch (error) {
        if (!/killed by the test|a write failed/.test(String(error))) throw error;
        clock.now = Math.min(clock.now, time);
        await this.rest();
      }
    }
    throw new Error("the object dies again and again");
  }

  /** On a busy machine the runtime may leave who asks an object that dies without an answer. */
  async #orDeath(ask: () => Promise<unknown>): Promise<void> {
    const life = this.#life;
    const answered = new AbortController();
    const death = async (): Promise<void> => {
      for (let ms = 0; ms < 500 && !answered.signal.aborted; ms++) {
        await scheduler.wait(1);
        // It has not died, or what its death answers is on its way.
        if (this.#life === life) ms = 0;
      }
      if (!answered.signal.aborted) throw new Error("killed by the test, and nobody was told");
    };
    try {
      await Promise.race([ask(), death()]);
    } finally {
      answered.abort();
    }
  }

  pass(ms: number): Promise<void> {
    return this.until(clock.now + ms);
  }

  /** Memory is gone, tables are there. */
  async restart(): Promise<void> {
    await this.stub.kill().catch(() => undefined);
  }

  async status(): Promise<AgentStatus> {
    const text = (await this.stub.status().catch(() => this.stub.status())) ?? "{}";
    return JSON.parse(text) as AgentStatus;
  }

  async events(type: string): Promise<Record<string, unknown>[]> {
    const rows = await this.stub.rows("SELECT event FROM events ORDER BY seq");
    return rows
      .map(({ event }) => JSON.parse(event as string) as Record<string, unknown>)
      .filter((event) => event["type"] === type);
  }

  /** Ends one that is held. */
  async end(place: number, outcome: Outcome = SUCCESS): Promise<void> {
    const kept = this.executions[place];
    if (kept === undefined) throw new TypeError(`there is no execution ${place}`);
    kept.status = outcome.ok ? "succeeded" : "dead";
    kept.outcome = outcome;
    await scheduler.wait(5);
    await this.rest();
    await this.stub.rest();
  }

  /** With an object ends what it was asked for: the runtime lets go of it in the middle. */
  forget(): void {
    this.#life += 1;
    this.#underWay = 0;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    const life = this.#life;
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      if (life === this.#life) this.#underWay -= 1;
    }
  }

  /** Nothing is on its way any more, but what waits for executions that are held. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.#underWay === 0 ? quiet + 1 : 0) await scheduler.wait(1);
  }

  get ports(): AgentRunnerPorts {
    return {
      registry: {
        triggersNamed: (async () => (this.row === undefined ? [] : [this.row])) as never,
        manifests: async (_kind, names) =>
          new Map(
            names.flatMap((name) =>
              this.jobs.has(name) ? [[name, { manifest: this.jobs.get(name), revision: 1 }]] : [],
            ),
          ),
      },
      dispatch: this.#dispatch(),
      executions: {
        find: async (id: string) => {
          const kept = this.executions.find((each) => each.id === id);
          return kept === undefined ? undefined : ({ id, status: kept.status } as ExecutionView);
        },
        cancel: async (id: string) => {
          const kept = this.executions.find((each) => each.id === id);
          if (kept?.status !== "running") return;
          kept.status = "cancelled";
          kept.outcome = failure("execution_cancelled");
        },
      },
      took: async (_agent, text) => this.stub.took(text),
    };
  }

  /** The real dispatch, over operations that count what they did and a keeper that keeps keys as the real one does. */
  #dispatch(): DispatchPorts {
    return {
      now: () => clock.now,
      registry: {
        resolve: async (name: string) => {
          if (this.refusal !== undefined) throw new SwitchyardError(this.refusal, `Cannot start it: ${this.refusal}`);
          return { operation: operationOf(name), stale: false };
        },
      },
      keeper: {
        keep: async (call: KeptCall) => this.#keep(call),
        keepAndWait: async (call: KeptCall) => {
          const kept = this.#keep(call);
          return { kept, outcome: await this.#outcome(kept.id) };
        },
        outcome: (id: string) => this.#outcome(id),
      },
    } as unknown as DispatchPorts;
  }

  #keep(call: KeptCall): { id: string; repeated: boolean } {
    const { idempotencyKey: key, operation, input } = call;
    const same = key === undefined ? undefined : this.executions.find((each) => each.call.idempotencyKey === key);
    if (same !== undefined && same.call.input.text !== input.text) {
      throw new SwitchyardError("idempotency_key_reused", "Cannot call it with this Idempotency-Key");
    }
    if (same !== undefined) return { id: same.id, repeated: true };
    const kept: Kept = {
      id: `ex_w${this.number}_${this.executions.length}`,
      call,
      status: "running",
    };
    if (this.seen.has(operation.name)) {
      kept.status = "succeeded";
      const seen = this.seen.get(operation.name);
      const value: unknown = typeof seen === "function" ? (seen as () => unknown)() : seen;
      kept.outcome = { ok: true, output: JSON.stringify(value), logs: [] };
      this.executions.push(kept);
      return { id: kept.id, repeated: false };
    }
    this.executions.push(kept);
    const failures = this.failing.get(operation.name) ?? 0;
    if (failures > 0) {
      this.failing.set(operation.name, failures - 1);
      kept.status = "dead";
      kept.outcome = failure("handler_failed");
      return { id: kept.id, repeated: false };
    }
    const { path } = input.value as { path: string };
    this.outside.set(path, (this.outside.get(path) ?? 0) + 1);
    if (!this.holds) {
      kept.status = "succeeded";
      kept.outcome = SUCCESS;
    }
    return { id: kept.id, repeated: false };
  }

  async #outcome(id: string): Promise<Outcome | undefined> {
    const kept = this.executions.find((each) => each.id === id);
    if (kept === undefined) return failure("entity_not_found");
    if (kept.outcome !== undefined) return kept.outcome;
    const life = this.#life;
    this.#underWay -= 1;
    // No promise of another object's may be waited for.
    for (let ms = 0; ms < 5_000 && kept.outcome === undefined; ms++) await scheduler.wait(1);
    if (life === this.#life) this.#underWay += 1;
    return kept.outcome;
  }
}

export function failure(code: string): Outcome {
  return { ok: false, error: { code: code as ErrorCode, detail: "it failed" }, retry: { kind: "may" }, logs: [] };
}

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;

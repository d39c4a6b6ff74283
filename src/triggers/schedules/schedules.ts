/**
 * Schedules as the rest of the platform uses them: the objects are told of changed rows and asked what has become of due
 * times, and a schedule is started by hand. A telling that is lost costs nothing but time: see scheduler.ts.
 */
import { describeThrown, log } from "../../core/log.ts";
import { SwitchyardError } from "../../core/errors.ts";
import { within } from "../../core/within.ts";
import type { DispatchPorts } from "../../dispatch/dispatch.ts";
import type { ScheduleFiring, SchedulePorts } from "../../registry/builtins/schedule-functions.ts";
import type { Registry } from "../../registry/registry.ts";
import { assertWithinRights } from "../../model/within-rights.ts";
import type { FiringRow } from "./_store.ts";
import { call } from "./fire.ts";
import type { Scheduler } from "./scheduler.ts";
import { nameOfScheduler, SCHEDULER_SHARDS, shardOfSchedule } from "./shards.ts";

/** How long a write waits for an object to hear of it. */
const PATIENCE_MS = 5_000;

/** A change of the registry, as much of it as matters here. */
type Change = { seq: number; kind: string; name: string };

export class SchedulerObjects {
  readonly #namespace: DurableObjectNamespace<Scheduler>;
  readonly #background: (work: Promise<unknown>) => void;
  /** What is to be told, by shard: the newest registry revision. */
  readonly #news = new Map<number, number>();

  constructor(namespace: DurableObjectNamespace<Scheduler>, background: (work: Promise<unknown>) => void) {
    this.#namespace = namespace;
    this.#background = background;
  }

  of(name: string): DurableObjectStub<Scheduler> {
    return this.#at(shardOfSchedule(name));
  }

  /** This isolate has seen that rows changed, whoever wrote them; undefined: any may have. Nobody waits for it. */
  seen(change: Change | undefined): void {
    if (change === undefined) this.#background(this.look());
    else if (change.kind === "schedule") {
      const shard = shardOfSchedule(change.name);
      const first = this.#news.size === 0;
      this.#news.set(shard, Math.max(change.seq, this.#news.get(shard) ?? 0));
      // One look at the change log tells of many changes in one turn.
      if (first) this.#background(Promise.resolve().then(() => this.#tellNews()));
    }
  }

  /** Resolves when the objects know of the change, or cannot be told. */
  async tell(changes: readonly Change[]): Promise<void> {
    const news = new Map<number, number>();
    for (const { kind, name, seq } of changes) if (kind === "schedule") news.set(shardOfSchedule(name), seq);
    await this.#tell(news);
  }

  /** What was written by whoever could not tell any more is found. */
  async look(): Promise<void> {
    await Promise.all(
      Array.from({ length: SCHEDULER_SHARDS }, (_, shard) => attempt(async () => this.#at(shard).look())),
    );
  }

  /** Executions have ended: what waits for them need not ask. Ends come in crowds, so each object is told of all of its own. */
  async ended(ends: readonly { schedule: string; execution: string }[]): Promise<void> {
    const groups = Map.groupBy(ends, ({ schedule }) => shardOfSchedule(schedule));
    await Promise.all([...groups].map(([shard, own]) => attempt(async () => this.#at(shard).ended(own))));
  }

  async #tellNews(): Promise<void> {
    const news = new Map(this.#news);
    this.#news.clear();
    await this.#tell(news);
  }

  async #tell(news: ReadonlyMap<number, number>): Promise<void> {
    await Promise.all([...news].map(([shard, revision]) => attempt(async () => this.#at(shard).changed(revision))));
  }

  #at(shard: number): DurableObjectStub<Scheduler> {
    return this.#namespace.getByName(nameOfScheduler(shard));
  }
}

/** The row is written whatever becomes of this: the object finds it by itself the next time it looks. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    if ((await within(PATIENCE_MS, work())) === undefined) throw new Error(`no answer within ${PATIENCE_MS} ms`);
  } catch (error) {
    log("warn", `schedules: a change could not be told: ${describeThrown(error)}`);
  }
}

export function createSchedules(ports: {
  objects: SchedulerObjects;
  registry: Pick<Registry, "trigger">;
  dispatch: () => DispatchPorts;
}): SchedulePorts["schedules"] {
  const { objects } = ports;
  return {
    async summaries(names) {
      const groups = [...Map.groupBy(names, shardOfSchedule).values()];
      const all = await Promise.all(
        groups.map((some) => answered(async () => objects.of(some[0] ?? "").summaries(some))),
      );
      const flat = all.flat();
      return new Map(
        flat.map(({ name, last, waiting }) => [name, { last: last === null ? null : firingOf(last), waiting }]),
      );
    },

    async history(name, { limit, cursor }) {
      const before = cursor === undefined ? undefined : Number(cursor);
      const rows = (await answered(async () => objects.of(name).history(name, { limit: limit + 1, before }))) ?? [];
      const items = rows.slice(0, limit);
      return {
        items: items.map(firingOf),
        next_cursor: rows.length > limit ? String(items.at(-1)?.seq ?? "") : null,
      };
    },

    async trigger(name, principal) {
      const row = await ports.registry.trigger("schedule", name);
      if (row === undefined) {
        throw new SwitchyardError(
          "entity_not_found",
          `Cannot start the schedule "${name}": there is none of that name`,
          {
            hint: "opctl get schedules",
          },
        );
      }
      assertWithinRights(principal, { ...row, secrets: [] }, { kind: "schedule", what: "start the" });
      if (!row.active) {
        throw new SwitchyardError(
          "trigger_inactive",
          `Cannot start the schedule "${name}": it must be active; it is paused`,
          {
            hint: `opctl schedule resume ${name}`,
          },
        );
      }
      const dispatch = ports.dispatch();
      const at = dispatch.now();
      const execution = await call(row, dispatch);
      await attempt(async () => objects.of(name).noteManual(name, { at, execution }));
      return execution ?? "";
    },
  };
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw new SwitchyardError(
      "state_unavailable",
      `Cannot say what schedules have done: the object that keeps it must answer; it failed with ${String(cause)}`,
      { cause },
    );
  }
}

function firingOf(row: FiringRow): ScheduleFiring {
  return {
    due_at: new Date(row.due).toISOString(),
    status: row.status === "pending" ? "queued" : row.status,
    fired_at: row.fired_at === null ? null : new Date(row.fired_at).toISOString(),
    execution_id: row.execution_id,
    reason: row.reason,
    manual: row.manual === 1,
    tries: row.tries,
  };
}

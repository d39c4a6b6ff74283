/**
 * The tables and statements of one agent's object.
 *
 * `agent` is one row: what it knows and wants. `steps` are those of the newest plan, with what each was given when it was
 * started: whoever starts it again gives it the same. `held` are values that came for a place that a step works on; they count
 * once it has ended. `events` are told to whoever watches, and forgotten after a thousand.
 */
import type { ErrorData } from "../core/errors.ts";
import type { AgentPhase, StepStatus } from "../model/agent-states.ts";
import type { JobRow } from "../model/agents.ts";
import type { Json, Step, Unmet, Value } from "../planner/index.ts";
import type { AgentEvent } from "./port.ts";
import type { Intent } from "./decide.ts";
import type { AgentSettings, StepData } from "./messages.ts";

const TABLES = `
  CREATE TABLE IF NOT EXISTS agent (one INTEGER PRIMARY KEY CHECK (one = 1), head TEXT NOT NULL, state TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS jobs (name TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY, step TEXT NOT NULL, status TEXT NOT NULL, data TEXT, execution_id TEXT, error TEXT,
    retry_at INTEGER, started_at INTEGER, ended_at INTEGER
  );
  CREATE TABLE IF NOT EXISTS held (seq INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, value TEXT);
  CREATE TABLE IF NOT EXISTS sensors (path TEXT PRIMARY KEY, next_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, event TEXT NOT NULL);
`;

const EVENTS = 1_000;

/** All that an agent is, but its state and its steps. */
export type Head = {
  /** Of this object's data: an agent that was deleted and made again is another one. */
  life: string;
  settings: Omit<AgentSettings, "initial">;
  phase: AgentPhase;
  /** Why it is in that phase, for people. */
  reason: string | null;
  intent: Intent;
  target?: Json;
  /** How often a target was set. */
  seek: number;
  plan: number;
  /** The target that the plan was made for, as `seek` counts them. */
  planSeek: number;
  replan: boolean;
  /** In a row: steps that failed, and plans that were undone by what a sensor then saw. */
  failures: number;
  undone: number;
  notBefore: number;
  /** Rises with each change of the state. */
  version: number;
  unmet: readonly Unmet[];
  /** Since when it is in its phase. */
  since: number;
  /** Of its sensors, failed last. */
  sensorError: ErrorData | null;
};

export type StepRow = {
  id: number;
  step: Step;
  status: StepStatus;
  data: StepData | null;
  execution: string | null;
  error: ErrorData | null;
  retryAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
};

type RawStep = {
  id: number;
  step: string;
  status: string;
  data: string | null;
  execution_id: string | null;
  error: string | null;
  retry_at: number | null;
  started_at: number | null;
  ended_at: number | null;
};

/** What was read or written last is kept as it is: nobody changes it, and an object whose write fails ends with it. */
export class AgentStore {
  readonly #sql: SqlStorage;
  #head: Head | undefined;
  #state: { value?: Json } | undefined;
  /** Of the newest plan, by id. */
  readonly #planned = new Map<number, Step>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLES);
  }

  /** undefined: nobody has set it a target, or asked for one. */
  head(): Head | undefined {
    if (this.#head !== undefined) return this.#head;
    const row = this.#sql.exec<{ head: string }>("SELECT head FROM agent").toArray()[0];
    this.#head = row === undefined ? undefined : (JSON.parse(row.head) as Head);
    return this.#head;
  }

  state(): Value {
    if (this.#state !== undefined) return this.#state.value;
    const row = this.#sql.exec<{ state: string }>("SELECT state FROM agent").toArray()[0];
    this.#state = row === undefined ? undefined : (JSON.parse(row.state) as { value?: Json });
    return this.#state?.value;
  }

  begin(head: Head, state: Value): void {
    this.#sql.exec("INSERT INTO agent VALUES (1, ?, ?)", JSON.stringify(head), JSON.stringify({ value: state }));
  }

  /** All that there is. */
  forget(): void {
    this.#head = undefined;
    this.#state = undefined;
    this.#planned.clear();
    for (const table of ["agent", "jobs", "steps", "held", "sensors", "events"]) this.#sql.exec(`DELETE FROM ${table}`);
  }

  setHead(head: Head): void {
    if (head === this.#head) return;
    this.#head = head;
    this.#sql.exec("UPDATE agent SET head = ?", JSON.stringify(head));
  }

  setState(state: Value): void {
    this.#state = state === undefined ? {} : { value: state };
    this.#sql.exec("UPDATE agent SET state = ?", JSON.stringify(this.#state));
  }

  /** The steps of the plan before are gone with it. */
  setPlan(steps: readonly Step[], jobs: readonly JobRow[]): void {
    this.#planned.clear();
    this.#sql.exec("DELETE FROM steps");
    this.#sql.exec("DELETE FROM jobs");
    for (const job of jobs) this.#sql.exec("INSERT INTO jobs VALUES (?, ?)", job.name, JSON.stringify(job));
    for (const step of steps) {
      this.#sql.exec("INSERT INTO steps (id, step, status) VALUES (?, ?, 'waiting')", step.id, JSON.stringify(step));
    }
  }

  job(name: string): JobRow | undefined {
    const row = this.#sql.exec<{ row: string }>("SELECT row FROM jobs WHERE name = ?", name).toArray()[0];
    return row === undefined ? undefined : (JSON.parse(row.row) as JobRow);
  }

  steps(): StepRow[] {
    return this.#read("SELECT * FROM steps ORDER BY id");
  }

  step(id: number): StepRow | undefined {
    return this.#read("SELECT * FROM steps WHERE id = ?", id)[0];
  }

  started(): StepRow[] {
    return this.#read("SELECT * FROM steps WHERE status = 'started' ORDER BY id");
  }

  /** Of each step what decides about the next: asked for with every end of one, and plans may be long. */
  progress(): { id: number; status: StepStatus; needs: readonly number[] }[] {
    if (this.#planned.size === 0) this.steps();
    return this.#sql
      .exec<{ id: number; status: string }>("SELECT id, status FROM steps ORDER BY id")
      .toArray()
      .map(({ id, status }) => ({ id, status: status as StepStatus, needs: this.#planned.get(id)?.needs ?? [] }));
  }

  /** Those under way of which somebody may be asked now. */
  startedIds(now: number): number[] {
    return this.#sql
      .exec<{ id: number }>(
        "SELECT id FROM steps WHERE status = 'started' AND coalesce(retry_at, 0) <= ? ORDER BY id",
        now,
      )
      .toArray()
      .map(({ id }) => id);
  }

  /** When the first of those that nobody could say anything of is asked again. */
  nextRetryAt(): number | undefined {
    const query = "SELECT min(retry_at) AS at FROM steps WHERE status = 'started'";
    return this.#sql.exec<{ at: number | null }>(query).one().at ?? undefined;
  }

  #read(query: string, ...bindings: number[]): StepRow[] {
    return this.#sql
      .exec<RawStep>(query, ...bindings)
      .toArray()
      .map((row) => {
        const step = this.#planned.get(row.id) ?? (JSON.parse(row.step) as Step);
        this.#planned.set(row.id, step);
        return toStep(row, step);
      });
  }

  start(id: number, data: StepData, now: number): void {
    this.#sql.exec(
      "UPDATE steps SET status = 'started', data = ?, started_at = ?, retry_at = NULL WHERE id = ?",
      JSON.stringify(data),
      now,
      id,
    );
  }

  /** It goes on. `retryAt`: nobody is asked before. */
  note(id: number, { execution, retryAt }: { execution: string | null; retryAt: number | null }): void {
    this.#sql.exec(
      "UPDATE steps SET execution_id = coalesce(?, execution_id), retry_at = ? WHERE id = ?",
      execution,
      retryAt,
      id,
    );
  }

  end(id: number, end: { status: StepStatus; execution: string | null; error: ErrorData | null; now: number }): void {
    this.#sql.exec(
      "UPDATE steps SET status = ?, execution_id = coalesce(?, execution_id), error = ?, retry_at = NULL, data = NULL, ended_at = ? WHERE id = ?",
      end.status,
      end.execution,
      end.error === null ? null : JSON.stringify(end.error),
      end.now,
      id,
    );
  }

  /** Steps whose turn will not come. */
  cancelWaiting(now: number): number[] {
    return this.#sql
      .exec<{ id: number }>(
        "UPDATE steps SET status = 'cancelled', ended_at = ? WHERE status = 'waiting' RETURNING id",
        now,
      )
      .toArray()
      .map(({ id }) => id);
  }

  hold(path: string, value: Value): void {
    this.#sql.exec(
      "INSERT INTO held (path, value) VALUES (?, ?)",
      path,
      value === undefined ? null : JSON.stringify(value),
    );
  }

  held(): { seq: number; path: string; value: Value }[] {
    return this.#sql
      .exec<{ seq: number; path: string; value: string | null }>("SELECT * FROM held ORDER BY seq")
      .toArray()
      .map(({ seq, path, value }) => ({ seq, path, value: value === null ? undefined : (JSON.parse(value) as Json) }));
  }

  release(seq: number): void {
    this.#sql.exec("DELETE FROM held WHERE seq = ?", seq);
  }

  /** Nothing is put off any longer. */
  putBack(now: number): void {
    this.#sql.exec("UPDATE steps SET retry_at = ? WHERE retry_at > ?", now, now);
    this.#sql.exec("UPDATE sensors SET next_at = ? WHERE next_at > ?", now, now);
  }

  /** When each sensor is to be read next, by its path. */
  sensors(): Map<string, number> {
    const rows = this.#sql.exec<{ path: string; next_at: number }>("SELECT * FROM sensors").toArray();
    return new Map(rows.map(({ path, next_at: at }) => [path, at]));
  }

  setSensor(path: string, nextAt: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO sensors VALUES (?, ?)", path, nextAt);
  }

  forgetSensors(): void {
    this.#sql.exec("DELETE FROM sensors");
  }

  tell(at: number, event: { type: string; [key: string]: unknown }): void {
    const { seq } = this.#sql
      .exec<{ seq: number }>("INSERT INTO events (at, event) VALUES (?, ?) RETURNING seq", at, JSON.stringify(event))
      .one();
    this.#sql.exec("DELETE FROM events WHERE seq <= ?", seq - EVENTS);
  }

  events(after: number, limit: number): AgentEvent[] {
    return this.#sql
      .exec<{ seq: number; at: number; event: string }>(
        "SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
        after,
        limit,
      )
      .toArray()
      .map(({ seq, at, event }) => Object.assign(JSON.parse(event) as { type: string }, { seq, at }));
  }

  lastEvent(): number {
    return this.#sql.exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
  }
}

function toStep(
  { id, status, data, execution_id, error, retry_at, started_at, ended_at }: RawStep,
  step: Step,
): StepRow {
  return {
    id,
    step,
    status: status as StepStatus,
    data: data === null ? null : (JSON.parse(data) as StepData),
    execution: execution_id,
    error: error === null ? null : (JSON.parse(error) as ErrorData),
    retryAt: retry_at,
    startedAt: started_at,
    endedAt: ended_at,
  };
}

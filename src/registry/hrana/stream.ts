/**
 * One Hrana stream: what a client sees as a connection. Outside a transaction each statement borrows the database for
 * itself; BEGIN takes the turnstile and keeps it until the transaction ends, however it ends, so that a second writer
 * waits its turn instead of blocking the process inside SQLite's busy handler.
 */
import type { Client, InStatement, ResultSet, Transaction, TransactionMode } from "@libsql/client/web";
import {
  HranaError,
  type Batch,
  type BatchResult,
  type Condition,
  type SqlRef,
  type Statement,
  toWireError,
} from "./protocol.ts";
import type { Turnstile } from "./turnstile.ts";
import { fromWire, toStatementResult } from "./values.ts";

const BEGIN = /^\s*BEGIN(?:\s+(?:TRANSACTION|DEFERRED|IMMEDIATE|EXCLUSIVE|READONLY))*\s*;?\s*$/i;
const COMMIT = /^\s*(?:COMMIT|END)(?:\s+TRANSACTION)?\s*;?\s*$/i;
const ROLLBACK = /^\s*ROLLBACK(?:\s+TRANSACTION)?\s*;?\s*$/i;

const NOTHING: ResultSet = {
  columns: [],
  columnTypes: [],
  rows: [],
  rowsAffected: 0,
  lastInsertRowid: undefined,
  toJSON: () => ({}),
};

export class Stream {
  readonly #client: Client;
  readonly #turnstile: Turnstile;
  readonly #stored = new Map<number, string>();
  #transaction: Transaction | undefined;
  #leave: (() => void) | undefined;

  /** `client` must be opened with `intMode: "bigint"`, or large integers are lost. */
  constructor(client: Client, turnstile: Turnstile) {
    this.#client = client;
    this.#turnstile = turnstile;
  }

  get autocommit(): boolean {
    return this.#transaction === undefined;
  }

  store(id: number, sql: string): void {
    if (this.#stored.size >= 1000)
      throw new HranaError("SQL_STORE_TOO_LARGE", "Cannot store the SQL text: a stream keeps at most 1000");
    this.#stored.set(id, sql);
  }

  forget(id: number): void {
    this.#stored.delete(id);
  }

  async execute(statement: Statement): Promise<ReturnType<typeof toStatementResult>> {
    const result = await this.#run(this.#sql(statement), statement);
    return toStatementResult(result, statement.want_rows !== false);
  }

  /** Runs the steps whose conditions hold. A failed step is an entry in `step_errors`, not a failure of the batch. */
  async batch({ steps }: Batch): Promise<BatchResult> {
    const done: BatchResult = { step_results: [], step_errors: [] };
    for (const { condition, stmt } of steps) {
      let result = null;
      let error = null;
      if (condition === undefined || condition === null || this.#holds(condition, done)) {
        try {
          result = await this.execute(stmt);
        } catch (thrown) {
          error = toWireError(thrown);
        }
      }
      done.step_results.push(result);
      done.step_errors.push(error);
    }
    return done;
  }

  async sequence(ref: SqlRef): Promise<void> {
    const sql = this.#sql(ref);
    if (this.#transaction !== undefined) {
      const transaction = this.#transaction;
      await this.#guard(() => transaction.executeMultiple(sql));
    } else await this.#alone(() => this.#client.executeMultiple(sql));
  }

  /** Columns and parameters of a statement, without running it: read from SQLite's own program listing. */
  async describe(ref: SqlRef): Promise<Record<string, unknown>> {
    const sql = this.#sql(ref);
    const isExplain = /^\s*EXPLAIN\b/i.test(sql);
    const program = isExplain ? NOTHING : await this.#run(`EXPLAIN ${sql}`, {});
    const steps = program.rows.map((row) => ({ opcode: row[1], p1: Number(row[2]), p2: Number(row[3]) }));
    const isReadonly = !steps.some(({ opcode, p2 }) => opcode === "Transaction" && p2 !== 0);
    const parameters = Math.max(0, ...steps.filter(({ opcode }) => opcode === "Variable").map(({ p1 }) => p1));
    const returnsRows = isReadonly && /^\s*(?:SELECT|WITH|VALUES)\b/i.test(sql);
    const shape = returnsRows ? await this.#run(`SELECT * FROM (${sql.replace(/;\s*$/, "")}\n) LIMIT 0`, {}) : NOTHING;
    return {
      params: Array.from({ length: parameters }, () => ({ name: null })),
      cols: shape.columns.map((name, index) => ({ name, decltype: shape.columnTypes[index] || null })),
      is_explain: isExplain,
      is_readonly: isReadonly,
    };
  }

  /** Ends the stream. An open transaction is rolled back. */
  close(): void {
    try {
      this.#transaction?.close();
    } finally {
      this.#settle();
    }
  }

  async #run(sql: string, { args, named_args: named }: Statement): Promise<ResultSet> {
    if (BEGIN.test(sql)) return this.#begin(sql);
    if (COMMIT.test(sql) || ROLLBACK.test(sql)) return this.#end(COMMIT.test(sql) ? "commit" : "rollback");
    if (this.#transaction === undefined && /^\s*(?:SAVEPOINT|RELEASE)\b/i.test(sql)) {
      throw new HranaError("SQLITE_ERROR", "Cannot use a savepoint: it must be inside a transaction; there is none");
    }
    const statement: InStatement = {
      sql,
      args:
        named !== undefined && named.length > 0
          ? Object.fromEntries(named.map(({ name, value }) => [name, fromWire(value)]))
          : (args ?? []).map(fromWire),
    };
    const transaction = this.#transaction;
    if (transaction !== undefined) return this.#guard(() => transaction.execute(statement));
    return this.#alone(() => this.#client.execute(statement));
  }

  async #begin(sql: string): Promise<ResultSet> {
    if (this.#transaction !== undefined) {
      throw new HranaError("SQLITE_ERROR", "cannot start a transaction within a transaction");
    }
    const mode: TransactionMode = /READONLY/i.test(sql)
      ? "read"
      : /IMMEDIATE|EXCLUSIVE/i.test(sql)
        ? "write"
        : "deferred";
    this.#leave = await this.#turnstile.enter();
    try {
      this.#transaction = await this.#client.transaction(mode);
    } catch (error) {
      this.#settle();
      throw error;
    }
    return NOTHING;
  }

  async #end(how: "commit" | "rollback"): Promise<ResultSet> {
    if (this.#transaction === undefined) {
      throw new HranaError("SQLITE_ERROR", `cannot ${how} - no transaction is active`);
    }
    try {
      await this.#transaction[how]();
    } finally {
      this.#settle();
    }
    return NOTHING;
  }

  /** Some errors make SQLite roll back by itself: then the turn is over too. */
  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      if (this.#transaction?.closed === true) this.close();
    }
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.#turnstile.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  #settle(): void {
    this.#transaction = undefined;
    this.#leave?.();
    this.#leave = undefined;
  }

  #sql({ sql, sql_id: id }: SqlRef): string {
    const text = sql ?? (typeof id === "number" ? this.#stored.get(id) : undefined);
    if (text === undefined)
      throw new HranaError(
        "SQL_NOT_FOUND",
        `Cannot find the SQL text: "sql" or a stored "sql_id" is needed; it is ${id}`,
      );
    return text;
  }

  #holds(condition: Condition, done: BatchResult): boolean {
    switch (condition.type) {
      case "ok":
        return done.step_results[condition.step] != null;
      case "error":
        return done.step_errors[condition.step] != null;
      case "not":
        return !this.#holds(condition.cond, done);
      case "and":
        return condition.conds.every((each) => this.#holds(each, done));
      case "or":
        return condition.conds.some((each) => this.#holds(each, done));
      case "is_autocommit":
        return this.autocommit;
    }
    throw new HranaError("HRANA_PROTO_ERROR", "Cannot decide a condition: its type is not one of Hrana's");
  }
}

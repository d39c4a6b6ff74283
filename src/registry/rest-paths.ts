/**
 * Which operation answers at a path: the table of all of them, kept in memory. After an edit only the operations that
 * changed are read again, by the next request that asks; while nothing changes no request reads anything.
 */
import { and, eq, inArray, sql } from "drizzle-orm";
import { restPathOf } from "../model/rest-path.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import type { Change } from "./draft.ts";
import { PathTable } from "./path-table.ts";
import { entities, uses } from "./schema.ts";

/** More changes than this are read as a whole table. */
const MANY = 50;

export class RestPaths {
  readonly #database: Database;
  #table: PathTable | undefined;
  readonly #changed = new Set<string>();
  /** Counts what was forgotten: what was read before is not kept after. */
  #forgotten = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  async table(): Promise<PathTable> {
    if (this.#table !== undefined && this.#changed.size === 0) return this.#table;
    const { forgotten, table: before } = { forgotten: this.#forgotten, table: this.#table };
    const names = before === undefined || this.#changed.size > MANY ? undefined : [...this.#changed];
    const found = await this.#read(names);
    const table = names === undefined || before === undefined ? new PathTable() : before;
    // What is taken away goes first: a path may have moved from one operation to another.
    for (const name of names ?? []) table.set(name, undefined);
    for (const { name, path } of found) table.set(name, restPathOf(path));
    if (forgotten === this.#forgotten) {
      this.#table = table;
      this.#changed.clear();
    }
    return table;
  }

  forget(change: Change | undefined): void {
    if (change !== undefined && change.kind !== "operation") return;
    this.#forgotten++;
    if (change === undefined) this.#table = undefined;
    else if (this.#table !== undefined) this.#changed.add(change.name);
  }

  async #read(names: readonly string[] | undefined): Promise<{ name: string; path: string }[]> {
    try {
      return await this.#database
        .select({ name: uses.name, path: sql<string>`json_extract(${entities.manifest}, '$.path')` })
        .from(uses)
        .innerJoin(entities, and(eq(entities.kind, uses.kind), eq(entities.name, uses.name)))
        .where(
          and(
            eq(uses.kind, "operation"),
            eq(uses.target_kind, "path"),
            ...(names === undefined ? [] : [inArray(uses.name, [...names])]),
          ),
        );
    } catch (error) {
      throw fromDatabaseError(error);
    }
  }
}

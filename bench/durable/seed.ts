/**
 * Finished executions written straight into the shards of a stopped platform: copies of executions that it really ran,
 * under ids of their own. Which tables and columns there are is read from the files, so that what the platform keeps of
 * an execution is what is copied: all rows with its `seq`, and all rows that name its id.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { newExecutionId } from "../../src/core/ids.ts";

export type Seeded = { ids: string[]; stored: number; perShard: number[]; tables: string[] };

/** A copied execution began so long after the one before it. */
const APART_MS = 250;
/** Of a shard's copies, how many are of each other status than `succeeded`. */
const RARE = 100;
const KEPT_IDS = 100;

type Template = { seq: number; id: string; status: string };
type Copy = { template: Template; from: number; count: number };

/** Writes `count` finished executions of the operation. `ids` is a sample over all shards and times. */
export function seedExecutions(state: string, options: { operation: string; count: number }): Seeded {
  const files = shardFiles(path.join(state, "objects"), options.operation);
  if (files.length === 0) throw new Error(`No file under ${state}/objects holds an execution of ${options.operation}`);
  const seeded: Seeded = { ids: [], stored: 0, perShard: [], tables: [] };
  for (const [index, file] of files.entries()) {
    const share = Math.floor(options.count / files.length) + (index < options.count % files.length ? 1 : 0);
    const { ids, tables } = seedShard(file, options.operation, share);
    seeded.ids.push(...ids);
    seeded.tables = [...new Set([...seeded.tables, ...tables])];
    seeded.perShard.push(share);
    seeded.stored += share;
  }
  return seeded;
}

function shardFiles(folder: string, operation: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => path.join(folder, name))
    .filter((file) => {
      const database = new DatabaseSync(file, { readOnly: true });
      try {
        return columnsOf(database, "executions").length > 0 && templatesOf(database, operation).length > 0;
      } finally {
        database.close();
      }
    });
}

function seedShard(file: string, operation: string, count: number): { ids: string[]; tables: string[] } {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN");
    const templates = templatesOf(database, operation);
    const common = templates.find(({ status }) => status === "succeeded");
    if (common === undefined) throw new Error(`${file} holds no execution of ${operation} that succeeded`);
    const shard = Number.parseInt(common.id.slice(3, 5), 16);
    const copies: Copy[] = [];
    let next = 1;
    for (const template of templates.filter(({ status }) => status !== "succeeded")) {
      copies.push({ template, from: next, count: RARE });
      next += RARE;
    }
    copies.push({ template: common, from: next, count: count - next + 1 });

    const base = Number(database.prepare("SELECT max(seq) AS seq FROM executions").get()?.["seq"]);
    database.exec("CREATE TEMP TABLE seeds (n INTEGER PRIMARY KEY, name TEXT NOT NULL)");
    const insert = database.prepare("INSERT INTO seeds VALUES (?, ?)");
    const before = Date.now() - count * APART_MS;
    const ids: string[] = [];
    for (let n = 1; n <= count; n++) {
      const id = newExecutionId(shard, before + n * APART_MS);
      insert.run(n, nameOf(id));
      if (n % Math.ceil(count / KEPT_IDS) === 0) ids.push(id);
    }
    const tables = tablesOf(database).filter((table) => {
      const copied = copies.map((copy) => copyRows(database, table, copy, base));
      return copied.some(Boolean);
    });
    database.exec("DROP TABLE seeds; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    return { ids, tables };
  } finally {
    database.close();
  }
}

/** Copies what the table holds of the template. Answers whether it held anything. */
function copyRows(database: DatabaseSync, table: string, { template, from, count }: Copy, base: number): boolean {
  const columns = columnsOf(database, table);
  const texts = columns.filter(({ type }) => type === "TEXT").map(({ name }) => name);
  const bySeq = columns.some(({ name }) => name === "seq");
  if (!bySeq && texts.length === 0) return false;
  const old = nameOf(template.id);
  const where = bySeq
    ? `t.seq = ${template.seq}`
    : `(${texts.map((name) => `instr(t."${name}", '${old}')`).join(" OR ")})`;
  const value = ({ name, type }: Column): string => {
    if (name === "seq") return `${base} + s.n`;
    // Each a little later than the one before, as in life.
    if (name === "due") return "t.due + s.n";
    return type === "TEXT" ? `replace(t."${name}", '${old}', s.name)` : `t."${name}"`;
  };
  const { changes } = database
    .prepare(
      `INSERT OR IGNORE INTO "${table}" (${columns.map(({ name }) => `"${name}"`).join(", ")})
       SELECT ${columns.map(value).join(", ")} FROM temp.seeds s, "${table}" t
       WHERE s.n >= ${from} AND s.n < ${from + count} AND ${where}`,
    )
    .run();
  return changes > 0;
}

/** One finished execution of each status there is. */
function templatesOf(database: DatabaseSync, operation: string): Template[] {
  return database
    .prepare(
      `SELECT max(seq) AS seq, id, status FROM executions
       WHERE operation = ? AND status NOT IN ('queued', 'running', 'retrying') GROUP BY status`,
    )
    .all(operation) as Template[];
}

type Column = { name: string; type: string };

function tablesOf(database: DatabaseSync): string[] {
  return database
    .prepare("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'")
    .all()
    .map(({ name }) => String(name))
    .filter((name) => !name.startsWith("sqlite_"));
}

function columnsOf(database: DatabaseSync, table: string): Column[] {
  return database.prepare("SELECT name, type FROM pragma_table_info(?)").all(table) as Column[];
}

/** What an execution's id and the ids of its artifacts share. */
function nameOf(id: string): string {
  return id.slice("ex_".length);
}

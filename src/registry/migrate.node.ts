/** Brings a database's tables up to this version: at the start of the registry process, and for `opctl migrate`. */
import { migrate } from "drizzle-orm/libsql/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { sql } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import { extendChain } from "./audit/extend-chain.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";

/** Returns how many migrations were applied. Refuses a database that a newer version has migrated. */
export async function migrateDatabase(database: Database, folder: string): Promise<number> {
  const known = readMigrationFiles({ migrationsFolder: folder });
  try {
    const before = await applied(database);
    const newest = known.at(-1)?.folderMillis ?? 0;
    if (before.newest > newest) {
      throw new SwitchyardError(
        "registry_unavailable",
        `Cannot migrate the registry: its tables must not be newer than this version; they are from ${new Date(before.newest).toISOString()}`,
        { hint: "Run the version of Switchyard that last used this registry, or a newer one" },
      );
    }
    if (before.count < known.length) {
      await migrate(database, { migrationsFolder: folder });
      await extendChain(database);
    }
    return known.length - before.count;
  } catch (error) {
    throw fromDatabaseError(error);
  }
}

/** Reading first keeps a start without new migrations free of writes, so that a read-only registry still starts. */
async function applied(database: Database): Promise<{ count: number; newest: number }> {
  const tables = await database.all(sql`SELECT name FROM sqlite_master WHERE name = '__drizzle_migrations'`);
  if (tables.length === 0) return { count: 0, newest: 0 };
  const [row] = await database.all<{ count: number; newest: number | null }>(
    sql`SELECT count(*) AS count, max(created_at) AS newest FROM __drizzle_migrations`,
  );
  return { count: row?.count ?? 0, newest: row?.newest ?? 0 };
}

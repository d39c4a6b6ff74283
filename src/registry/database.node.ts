/** A registry file opened in this process: for the process that serves it, `opctl migrate`, and tests. */
import { createClient, type Client } from "@libsql/client";
import { pathToFileURL } from "node:url";
import { drizzle } from "drizzle-orm/libsql";
import type { Database } from "./database.ts";

export type FileDatabase = { database: Database; client: Client };

/**
 * Opens in WAL mode with a busy time-out (the file client's own defaults are neither). While one process holds
 * the write lock another waits here, and its event loop with it: serve a file from a process of its own.
 */
export async function openFile(
  file: string,
  options: { busyTimeoutMs?: number; intMode?: "number" | "bigint" } = {},
): Promise<FileDatabase> {
  const client = createClient({
    url: pathToFileURL(file).href,
    timeout: options.busyTimeoutMs ?? 5_000,
    intMode: options.intMode ?? "number",
  });
  try {
    await client.execute("PRAGMA journal_mode = WAL");
  } catch (error) {
    client.close();
    throw error;
  }
  return { database: drizzle(client), client };
}

/**
 * The registry's database as every part of the worker sees it: drizzle over libSQL's HTTP protocol. Where the server
 * is (a service binding to the development host, a hosted libSQL) is decided by the URL and `fetch` alone.
 */
import { createClient } from "@libsql/client/web";
import type { LibSQLDatabase } from "drizzle-orm/libsql";
import { drizzle } from "drizzle-orm/libsql/web";

export type Database = LibSQLDatabase;

export type DatabaseOptions = {
  /** `libsql://…`, `https://…`, or `http://…` for a service binding. */
  url: string;
  authToken?: string;
  /** Replaces the global fetch, for a service binding. */
  fetch?: (request: Request) => Promise<Response>;
  /** Milliseconds until a request to the database is given up. */
  timeoutMs?: number;
};

export function openDatabase(options: DatabaseOptions): Database {
  const send = options.fetch ?? ((request: Request) => fetch(request));
  const timeoutMs = options.timeoutMs ?? 5_000;
  const client = createClient({
    url: options.url,
    // The client's own queue would run one request's statement when another's ends. In a worker that hangs, and a
    // request that is cancelled never gives its place back.
    concurrency: Number.POSITIVE_INFINITY,
    ...(options.authToken === undefined ? {} : { authToken: options.authToken }),
    fetch: (request: Request) => send(new Request(request, { signal: AbortSignal.timeout(timeoutMs) })),
  });
  return drizzle(client);
}

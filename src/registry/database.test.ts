import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { openDatabase } from "./database.ts";

test("openDatabase() makes no request wait for another one", async () => {
  let asked = 0;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const database = openDatabase({
    url: "http://registry.internal",
    fetch: async () => {
      asked++;
      await released;
      return new Response("gone", { status: 503 });
    },
  });
  const queries = Array.from({ length: 100 }, () => database.all(sql`SELECT 1`).catch(() => undefined));
  await expect.poll(() => asked).toBe(100);
  release();
  await Promise.all(queries);
});

test("openDatabase() gives a request up after its time-out", async () => {
  const database = openDatabase({
    url: "http://registry.internal",
    timeoutMs: 20,
    fetch: (request) =>
      new Promise((_resolve, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
      }),
  });
  await expect(database.all(sql`SELECT 1`)).rejects.toThrow(/Failed query|timeout/);
});

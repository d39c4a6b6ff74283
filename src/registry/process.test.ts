import { INLINE_ADAPTER } from "../model/environment.ts";
import { execFile, fork, type ChildProcess } from "node:child_process";
import { chmodSync, cpSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createClient } from "@libsql/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ADMIN, MASTER_KEY, MIGRATIONS } from "./_fixture.node.ts";
import { openFile } from "./database.node.ts";
import { openDatabase } from "./database.ts";
import { migrateDatabase } from "./migrate.node.ts";
import { startRegistryProcess, type RegistryProcessConfig, type RegistryProcessMessage } from "./process.node.ts";
import { createRegistry, type Registry } from "./registry.ts";

// A start takes a second of its own on a busy machine, and some tests start three.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NOBODY = 65_534;
/** The children load the same sources over and over. */
const COMPILED = path.join(tmpdir(), "switchyard-compile-cache");
const PROGRAM = path.join(import.meta.dirname, "process.node.ts");

let folder: string;
let config: RegistryProcessConfig;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "switchyard-process-"));
  config = {
    file: path.join(folder, "registry.db"),
    socket: path.join(folder, "registry.sock"),
    secret: "s3cret",
    masterKey: MASTER_KEY,
    migrations: MIGRATIONS,
    adminToken: "create",
  };
});
afterEach(async () => {
  for (const child of children.splice(0)) await stop(child, "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<{ child: ChildProcess; message: RegistryProcessMessage }> {
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED, SWITCHYARD_REGISTRY: JSON.stringify(config) };
  const child = fork(PROGRAM, [], {
    env,
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  children.push(child);
  const message = await new Promise<RegistryProcessMessage>((resolve, reject) => {
    child.once("message", (said) => resolve(said as RegistryProcessMessage));
    child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
  return { child, message };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => {
    child.once("exit", resolve);
  });
  child.kill(signal);
  await ended;
}

/** fetch() over the unix socket: what a service binding does in the development host. */
function throughSocket(request: Request): Promise<Response> {
  return new Promise((resolve, reject) => {
    const url = new URL(request.url);
    const sending = httpRequest(
      {
        socketPath: config.socket,
        path: url.pathname,
        method: request.method,
        headers: Object.fromEntries(request.headers),
      },
      (answer) => {
        const body = Readable.toWeb(answer) as ReadableStream<Uint8Array>;
        resolve(
          new Response(body, {
            status: answer.statusCode ?? 500,
            headers: { "content-type": answer.headers["content-type"] ?? "" },
          }),
        );
      },
    );
    sending.once("error", reject);
    request.arrayBuffer().then((body) => sending.end(new Uint8Array(body)), reject);
  });
}

const connect = (): Registry =>
  createRegistry({
    database: openDatabase({ url: "http://registry.internal", authToken: config.secret, fetch: throughSocket }),
    masterKey: MASTER_KEY,
    adapters: [INLINE_ADAPTER],
  });

describe("the registry process", () => {
  test("makes an admin token, keeps it over a restart, and answers on its socket", async () => {
    const first = await start();
    expect(first.message).toMatchObject({ type: "ready", token: expect.stringMatching(/^sy_/) as string });
    const { token = "" } = first.message as { token?: string };
    expect(await connect().authenticate(token)).toMatchObject({ scopes: ["admin"] });
    await stop(first.child, "SIGTERM");
    config.adminToken = token;
    expect((await start()).message).toEqual({ type: "ready", token });
    expect((await connect().resolve("list_operation")).operation.revision).toBe(1);
  });

  test("replaces an admin token that no longer works", async () => {
    config.adminToken = `sy_${"0".repeat(16)}_${"0".repeat(32)}`;
    const { message } = await start();
    expect(message).toMatchObject({ type: "ready", token: expect.not.stringContaining(config.adminToken) as string });
  });

  test("ends when its parent is gone", async () => {
    const { child } = await start();
    const ended = new Promise((resolve) => {
      child.once("exit", resolve);
    });
    child.disconnect();
    expect(await ended).toBe(0);
  });

  test("leaves no half revision when it is killed in a stream of writes", async () => {
    for (let round = 0; round < 2; round++) {
      const { child } = await start();
      const registry = connect();
      // In one object, because the writers below change it from elsewhere.
      const state = { written: 0, dead: false };
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let index = 0; !state.dead; index++) {
          try {
            await registry.write(
              {
                action: "put",
                kind: "type",
                manifest: { name: `shared${writer}`, schema: { maxLength: index + round * 1000 } },
              },
              ADMIN,
            );
            // One batch of several revisions: the user of the type goes with it.
            const operation = {
              name: `op${writer}`,
              implemented_at: "builtin:list_type",
              input_type: `shared${writer}`,
            };
            if (index === 0) await registry.write({ action: "put", kind: "operation", manifest: operation }, ADMIN);
            state.written++;
          } catch (error) {
            if (state.dead) return;
            throw error;
          }
        }
      });
      while (state.written < 8) await new Promise((resolve) => setTimeout(resolve, 2));
      state.dead = true;
      await stop(child, "SIGKILL");
      await Promise.all(writers);
      await assertWhole();
    }
  });
});

/** Every change has its revision, every entity is its newest revision, every user is closed over the type as it is. */
async function assertWhole(): Promise<void> {
  const { client } = await openFile(config.file);
  const count = async (sql: string) => (await client.execute(sql)).rows[0]?.["n"];
  expect(await count("SELECT count(*) AS n FROM pragma_integrity_check WHERE integrity_check <> 'ok'")).toBe(0);
  expect(await count("SELECT max(seq) - count(*) AS n FROM changes")).toBe(0);
  expect(
    await count(`SELECT count(*) AS n FROM changes c WHERE after IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM revisions r WHERE r.kind = c.kind AND r.name = c.name AND r.digest = c.after)`),
  ).toBe(0);
  expect(
    await count(`SELECT count(*) AS n FROM entities e WHERE e.digest <>
      (SELECT r.digest FROM revisions r WHERE r.kind = e.kind AND r.name = e.name ORDER BY revision DESC LIMIT 1)`),
  ).toBe(0);
  expect(await count("SELECT count(*) AS n FROM revisions")).toBe(
    await count("SELECT count(*) AS n FROM changes WHERE after IS NOT NULL"),
  );
  const users = await count(`SELECT count(*) AS n FROM uses u JOIN entities o ON o.kind = u.kind AND o.name = u.name
    JOIN entities t ON t.kind = 'type' AND t.name = u.target_name WHERE u.kind = 'operation' AND u.target_kind = 'type'
    AND json_extract(o.resolved, '$.input.closed') IS json_extract(t.resolved, '$.closed')`);
  expect(users).toBe(await count("SELECT count(*) AS n FROM uses WHERE kind = 'operation' AND target_kind = 'type'"));
  expect(users).toBeGreaterThan(0);
  client.close();
}

describe("a file that cannot be used is refused with the reason, and left as it is", () => {
  test("not a database", async () => {
    writeFileSync(config.file, "this is not a database, however long it may be. ".repeat(100));
    const before = readFileSync(config.file);
    expect((await start()).message).toMatchObject({ type: "failed", error: { code: "registry_corrupt" } });
    expect(readFileSync(config.file).equals(before)).toBe(true);
  });

  test("a damaged database", async () => {
    await prepared();
    const bytes = readFileSync(config.file);
    bytes.fill(0xff, 4096 * 2, 4096 * 6);
    writeFileSync(config.file, bytes);
    expect((await start()).message).toMatchObject({ type: "failed", error: { code: "registry_corrupt" } });
    expect(readFileSync(config.file).equals(bytes)).toBe(true);
  });

  test("locked by another process", async () => {
    await prepared();
    const other = createClient({ url: `file:${config.file}` });
    const transaction = await other.transaction("write");
    expect((await start()).message).toMatchObject({
      type: "failed",
      error: { code: "registry_unavailable", hint: expect.stringContaining("Another process") as string },
    });
    await transaction.rollback();
    other.close();
  });

  test("read-only", async () => {
    config.migrations = path.join(folder, "migrations");
    cpSync(MIGRATIONS, config.migrations, { recursive: true });
    await stop((await start()).child, "SIGTERM");
    chmodSync(config.file, 0o444);
    chmodSync(folder, 0o555);
    if (process.getuid?.() === 0) for (const file of [folder, config.file]) chownSync(file, NOBODY, NOBODY);
    // Root may write anything, so the program becomes nobody: once it is loaded, for nobody may not read the sources. The
    // file is complete but for the token that is asked for, so the token's write is what is refused.
    const script = `import { ${startRegistryProcess.name} } from ${JSON.stringify(PROGRAM)};
      if (process.getuid?.() === 0) { process.setgid(${NOBODY}); process.setuid(${NOBODY}); }
      await startRegistryProcess(${JSON.stringify(config)}).catch((error) => console.log(error.code));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
    chmodSync(folder, 0o755);
    expect(stdout.trim()).toBe("registry_read_only");
  });

  test("migrated by a newer version", async () => {
    await prepared();
    const { client } = await openFile(config.file);
    await client.execute("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 99999999999999)");
    client.close();
    expect((await start()).message).toMatchObject({
      type: "failed",
      error: { detail: expect.stringContaining("newer") as string },
    });
  });
});

/** A sound registry file, with nothing left in its WAL. */
async function prepared(): Promise<void> {
  const { client, database } = await openFile(config.file);
  expect(await migrateDatabase(database, MIGRATIONS)).toBeGreaterThan(0);
  expect(await migrateDatabase(database, MIGRATIONS)).toBe(0);
  await client.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  client.close();
}

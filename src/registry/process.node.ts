/**
 * The program that owns a registry file: migrates it, installs what comes with the platform, and serves it. In a process
 * of its own, because a file locked by somebody else blocks the event loop of whoever waits for it.
 *
 * Configured by the environment variable SWITCHYARD_REGISTRY; says over IPC that it is ready, or why it cannot be.
 */
import type { Client } from "@libsql/client";
import { toErrorData, toSwitchyardError, SwitchyardError, type ErrorData } from "../core/errors.ts";
import { INLINE_ADAPTER } from "../model/environment.ts";
import { allows } from "../model/principal.ts";
import { installBuiltins } from "./builtins/install-builtins.ts";
import { openFile } from "./database.node.ts";
import { fromDatabaseError } from "./database-error.ts";
import { SYSTEM } from "./install.ts";
import { migrateDatabase } from "./migrate.node.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { serveDatabase, type Server } from "./server.node.ts";

export type RegistryProcessConfig = {
  file: string;
  /** Where to listen. */
  socket: string;
  /** What every request must carry as its bearer. */
  secret: string;
  masterKey: string;
  /** The folder of migrations. */
  migrations: string;
  /** A token's text that must work, or "create". Where it does not work a new one is made and sent back. */
  adminToken?: string;
};

export type RegistryProcessMessage = { type: "ready"; token?: string } | { type: "failed"; error: ErrorData };

const ADMIN_TOKEN_NAME = "local-admin";

export async function startRegistryProcess(
  config: RegistryProcessConfig,
): Promise<{ server: Server; token: string | undefined }> {
  const clients: Client[] = [];
  try {
    const direct = await openFile(config.file);
    clients.push(direct.client);
    await assertSound(direct.client);
    await migrateDatabase(direct.database, config.migrations);
    const registry = createRegistry({
      database: direct.database,
      masterKey: config.masterKey,
      adapters: [INLINE_ADAPTER],
    });
    await installBuiltins(registry);
    const token = config.adminToken === undefined ? undefined : await ensureAdminToken(registry, config.adminToken);
    const served = await openFile(config.file, { intMode: "bigint" });
    clients.push(served.client);
    const server = await serveDatabase({
      client: served.client,
      listen: { socket: config.socket },
      secret: config.secret,
    });
    return {
      token,
      server: {
        url: server.url,
        async close() {
          await server.close();
          for (const client of clients) client.close();
        },
      },
    };
  } catch (error) {
    for (const client of clients) client.close();
    throw explained(error, config.file);
  }
}

/** Reading damage late would lose a write; and what cannot be written should be said before anybody tries. */
async function assertSound(client: Client): Promise<void> {
  const { rows } = await client.execute("PRAGMA quick_check(1)");
  const verdict = rows[0]?.["quick_check"];
  if (verdict !== "ok") {
    throw new SwitchyardError(
      "registry_corrupt",
      `Cannot use the registry: its file must be sound; it is not: ${JSON.stringify(verdict)}`,
    );
  }
  // A real write, taken back: BEGIN IMMEDIATE alone is quietly a reader's where the file is read-only.
  await client.executeMultiple("BEGIN IMMEDIATE; CREATE TABLE may_it_be_written (x); ROLLBACK");
}

async function ensureAdminToken(registry: Registry, text: string): Promise<string> {
  if (text !== "create") {
    try {
      if (allows(await registry.authenticate(text), "admin")) return text;
    } catch (error) {
      const code = error instanceof SwitchyardError ? error.code : undefined;
      if (code !== "token_unknown" && code !== "token_expired" && code !== "token_revoked") throw error;
    }
  }
  const manifest = {
    name: ADMIN_TOKEN_NAME,
    description: "The owner of this machine's platform.",
    scopes: ["admin"],
  };
  try {
    await registry.write({ action: "delete", kind: "token", name: ADMIN_TOKEN_NAME }, SYSTEM);
  } catch (error) {
    if (!(error instanceof SwitchyardError && error.code === "entity_not_found")) throw error;
  }
  const { once } = await registry.write({ action: "create", kind: "token", manifest }, SYSTEM);
  return String(once["token"]);
}

function explained(thrown: unknown, file: string): SwitchyardError {
  const error = fromDatabaseError(thrown);
  const about = `${error.message} [${file}]`;
  const hint = /SQLITE_BUSY|locked/i.test(error.message)
    ? "Another process holds the file: stop it, or choose another folder with --state"
    : error.hint;
  return new SwitchyardError(error.code, about, { ...(hint === undefined ? {} : { hint }), cause: thrown });
}

function tell(message: RegistryProcessMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

if (import.meta.main) {
  try {
    const { server, token } = await startRegistryProcess(
      JSON.parse(process.env["SWITCHYARD_REGISTRY"] ?? "{}") as RegistryProcessConfig,
    );
    const stop = (): void => {
      void server.close().finally(() => process.exit(0));
    };
    process.once("SIGTERM", stop);
    process.once("SIGINT", stop);
    // Without its parent nobody knows the secret: there is nothing left to serve.
    process.once("disconnect", stop);
    await tell({ type: "ready", ...(token === undefined ? {} : { token }) });
  } catch (error) {
    await tell({ type: "failed", error: toErrorData(toSwitchyardError(error)) });
    process.exit(1);
  }
}

/** `opctl migrate`: brings a registry's tables up to this version. A platform that starts does the same by itself. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Database } from "../../src/registry/database.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";

type Options = { databaseUrl?: string };

export const command: CommandModule = {
  define(command: Command) {
    command
      .option("--database-url <url>", "libsql://…, https://… or file:… (else REGISTRY_URL)")
      .addHelpText("after", "\nThe database's token is read from REGISTRY_AUTH_TOKEN, never from an argument.")
      .action(async (options: Options) => {
        await migrate(contextOf(command), options);
      });
    examples(command, [
      ["REGISTRY_AUTH_TOKEN=… opctl migrate --database-url libsql://my-registry.example", "before a deployment"],
      ["opctl migrate --database-url file:.switchyard/registry.db", "a file; stop its platform first"],
    ]);
  },
};

async function migrate(context: Context, options: Options): Promise<void> {
  const url = options.databaseUrl ?? (process.env["REGISTRY_URL"] || undefined);
  if (url === undefined) {
    throw new SwitchyardError(
      "usage",
      "Cannot migrate: the database must be named; neither --database-url nor REGISTRY_URL is set",
      {
        hint: "opctl migrate --database-url libsql://…",
      },
    );
  }
  const { migrateDatabase } = await import("../../src/registry/migrate.node.ts");
  const { database, close } = await open(url).catch((error: unknown) => {
    if (error instanceof SwitchyardError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SwitchyardError("registry_unavailable", `Cannot open the registry "${url}": ${reason}`, {
      hint: "Its folder must exist and be writable; for a server, look at the address.",
      cause: error,
    });
  });
  try {
    const applied = await migrateDatabase(database, migrationsFolder());
    context.output.say(
      applied === 0
        ? "The registry is up to date."
        : `Applied ${applied} ${applied === 1 ? "migration" : "migrations"}.`,
    );
    if (context.globals.json) context.output.value({ applied });
  } finally {
    close();
  }
}

async function open(url: string): Promise<{ database: Database; close: () => void }> {
  if (url.startsWith("file:")) {
    const { openFile } = await import("../../src/registry/database.node.ts");
    const { database, client } = await openFile(
      url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length),
    );
    return { database, close: () => client.close() };
  }
  if (!/^(?:libsql|https?):/.test(url)) {
    throw new SwitchyardError(
      "usage",
      `Cannot migrate "${url}": the address must begin with libsql:, https:, http: or file:`,
    );
  }
  const { openDatabase } = await import("../../src/registry/database.ts");
  const authToken = process.env["REGISTRY_AUTH_TOKEN"];
  return {
    database: openDatabase({ url, timeoutMs: 60_000, ...(authToken ? { authToken } : {}) }),
    close: () => undefined,
  };
}

/** Beside the sources in the repository, beside `dist/` in the package. */
function migrationsFolder(): string {
  const found = ["../../migrations", "../migrations"]
    .map((folder) => fileURLToPath(new URL(folder, import.meta.url)))
    .find((folder) => existsSync(folder));
  if (found !== undefined) return found;
  throw new SwitchyardError(
    "internal",
    "Cannot migrate: the package must carry its migrations folder; it is not there",
  );
}

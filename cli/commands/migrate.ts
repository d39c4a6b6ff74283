/**
 * `opctl migrate`: brings a registry's tables and built-in entries up to this version, and on request makes the first
 * token. `opctl dev` does the same by itself; a registry behind Cloudflare needs it before each deployment.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { INLINE_ADAPTER } from "../../src/model/environment.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { openRegistry } from "../open-registry.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";

type Options = { databaseUrl?: string; createToken?: string };

export const command: CommandModule = {
  define(command: Command) {
    command
      .option("--database-url <url>", "libsql://…, https://… or file:… (else REGISTRY_URL)")
      .option("--create-token <name>", "make an admin token and print it; it is shown this once")
      .addHelpText("after", "\nThe database's token is read from REGISTRY_AUTH_TOKEN, never from an argument.")
      .action(async (options: Options) => {
        await migrate(contextOf(command), options);
      });
    examples(command, [
      ["REGISTRY_AUTH_TOKEN=… opctl migrate --database-url libsql://my-registry.example", "before a deployment"],
      ["opctl migrate --create-token admin", "the first time, with REGISTRY_URL set"],
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
  const { createRegistry } = await import("../../src/registry/registry.ts");
  const { installBuiltins } = await import("../../src/registry/builtins/install-builtins.ts");
  const { database, close } = await openRegistry(url, "migrate");
  try {
    const applied = await migrateDatabase(database, migrationsFolder());
    // Sealed secrets are not touched here, so no master key is needed.
    const registry = createRegistry({ database, masterKey: "", adapters: [INLINE_ADAPTER] });
    const installed = (await installBuiltins(registry)).length;
    context.output.say(
      applied + installed === 0
        ? "The registry is up to date."
        : `Applied ${applied} ${applied === 1 ? "migration" : "migrations"}, installed ${installed} built-in entries.`,
    );
    const token = options.createToken === undefined ? undefined : await createToken(registry, options.createToken);
    if (context.globals.json) context.output.value({ applied, installed, ...(token === undefined ? {} : { token }) });
    else if (token !== undefined) context.output.data(token);
  } finally {
    close();
  }
}

/** Throws entity_exists when a token of that name is there: the first one is made once. */
async function createToken(registry: Registry, name: string): Promise<string> {
  const { SYSTEM } = await import("../../src/registry/install.ts");
  const manifest = { name, description: "Made by opctl migrate.", scopes: ["admin"] };
  const { once } = await registry.write({ action: "create", kind: "token", manifest }, SYSTEM);
  return String(once["token"]);
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

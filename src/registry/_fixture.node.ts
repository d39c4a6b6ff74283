/** For tests: a registry on a real libSQL file in a folder of its own, with a clock that only moves when told. */
import { INLINE_ADAPTER, type AdapterDescription } from "../model/environment.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { sha256 } from "../core/hash.ts";
import type { Principal } from "../model/principal.ts";
import { installBuiltins } from "./builtins/install-builtins.ts";
import { runBuiltin } from "./builtins/run-builtin.ts";
import { openFile } from "./database.node.ts";
import { migrateDatabase } from "./migrate.node.ts";
import { createRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import type { Json } from "./schema.ts";

export const MIGRATIONS = path.resolve(import.meta.dirname, "../../migrations");
export const MASTER_KEY = Buffer.alloc(32, 7).toString("base64");
export const ADMIN: Principal = { id: "admin_id", name: "admin", scopes: ["admin"] };
/** Adapters of which one runs services and one leads to those that run already. */
export const HOSTING: readonly AdapterDescription[] = [
  INLINE_ADAPTER,
  { ...INLINE_ADAPTER, name: "hosts", services: { runs: ["process", "container"] } },
  { ...INLINE_ADAPTER, name: "leads", services: { runs: ["address"] } },
];
const ECHO = "export function echo(input) { return { output_str: input.input_str } }\n";

export const STRING_FIELD = (name: string): Json => ({
  type: "object",
  properties: { [name]: { type: "string" } },
  required: [name],
});

export type Fixture = Awaited<ReturnType<typeof fixture>>;

export async function fixture(options: Partial<RegistryOptions> & { builtins?: boolean } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "switchyard-registry-"));
  const file = path.join(folder, "registry.db");
  const { database, client } = await openFile(file);
  await migrateDatabase(database, MIGRATIONS);
  const clock = { now: Date.parse("2026-11-21T12:00:00Z") };
  const another = (over: Partial<RegistryOptions> = {}): Registry =>
    createRegistry({
      database,
      masterKey: MASTER_KEY,
      adapters: [INLINE_ADAPTER],
      clock: () => clock.now,
      ...options,
      ...over,
    });
  const registry = another();
  if (options.builtins === true) await installBuiltins(registry);
  else await registry.install([{ kind: "environment", manifest: { name: "inline", adapter: "inline" } }]);
  return {
    folder,
    file,
    database,
    client,
    clock,
    registry,
    another,
    /** A function of the platform, as the admin unless told otherwise. */
    run: async (name: string, input: unknown, principal: Principal = ADMIN) =>
      (await runBuiltin(registry, name, input, principal)).output as Json & {
        meta: { revision: number; digest: string };
      },
    async close() {
      client.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Stores a module with one export per entry of `types`. */
export async function storeModule(
  { registry, run }: Fixture,
  name: string,
  options: { code?: string; exports?: Record<string, { input: unknown; output: unknown }> } = {},
): Promise<string> {
  const bytes = new TextEncoder().encode(options.code ?? ECHO);
  const hash = await sha256(bytes);
  await registry.putModuleCode(hash, bytes);
  const any = { schema: true };
  await run("put_module", { name, sha256: hash, exports: options.exports ?? { echo: { input: any, output: any } } });
  return hash;
}

/** Module code under its hash, and what an isolate needs to run it. */
import { and, eq, inArray } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import { sha256 } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import type { Environment, Secret } from "../model/entities.ts";
import type { IsolateDefinition } from "../model/invocation.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { ServiceRow } from "../model/services.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { entities, moduleCode, secretValues } from "./schema.ts";
import { open, type MasterKey } from "./seal.ts";

export async function readModuleCode(database: Database, hash: string): Promise<string | undefined> {
  try {
    const [row] = await database.select({ code: moduleCode.code }).from(moduleCode).where(eq(moduleCode.sha256, hash));
    return row?.code;
  } catch (error) {
    throw fromDatabaseError(error);
  }
}

/** Stores the code unless it is there already. Throws module_hash_mismatch. */
export async function writeModuleCode(
  database: Database,
  hash: string,
  options: { bytes: Uint8Array<ArrayBuffer>; at: string },
): Promise<void> {
  const { bytes, at } = options;
  if (bytes.length > LIMITS.moduleBytes) {
    throw new SwitchyardError(
      "payload_too_large",
      `Cannot store the module: it must be at most ${LIMITS.moduleBytes} bytes; it is ${bytes.length}`,
    );
  }
  const actual = await sha256(bytes);
  if (actual !== hash) {
    throw new SwitchyardError(
      "module_hash_mismatch",
      `Cannot store the module under "${hash}": that must be its SHA-256; it is ${actual}`,
    );
  }
  let code: string;
  try {
    code = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SwitchyardError("invalid_utf8", "Cannot store the module: its source must be UTF-8; it is not", {
      cause,
    });
  }
  // A database of C strings would end the text there.
  if (code.includes("\0")) {
    throw new SwitchyardError(
      "definition_invalid",
      "Cannot store the module: its source must not hold a NUL character; it does",
      {
        hint: "Write it as \\0 in a string, as esbuild does by itself",
      },
    );
  }
  try {
    await database
      .insert(moduleCode)
      .values({ sha256: hash, code, size_bytes: bytes.length, at })
      .onConflictDoNothing();
  } catch (error) {
    throw fromDatabaseError(error);
  }
}

/** Code, and the values of the secrets as they are now. Whether the operation may use each is checked again here. */
export async function loadIsolate(
  database: Database,
  operation: ResolvedOperation,
  masterKey: () => Promise<MasterKey>,
): Promise<IsolateDefinition> {
  const { implementation } = operation;
  if (implementation.kind !== "module") {
    throw new SwitchyardError(
      "internal",
      `Cannot load the code of "${operation.name}": it must be a module; it is a function of the platform`,
    );
  }
  const [code, secrets] = await Promise.all([
    readModuleCode(database, implementation.sha256),
    openSecrets(database, operation, masterKey),
  ]);
  if (code === undefined) {
    throw new SwitchyardError(
      "module_invalid",
      `Cannot load the code of "${operation.name}": it must be stored under ${implementation.sha256}; it is not`,
    );
  }
  const { export: exported, language } = implementation;
  return { code, language, export: exported, network: operation.network, secrets };
}

/** The secrets that an environment's row names: the adapter's word → value. Who may write the row may use any. */
export async function openEnvironmentSecrets(
  database: Database,
  { name, secrets }: Environment,
  masterKey: () => Promise<MasterKey>,
): Promise<Record<string, string>> {
  const words = Object.entries(secrets);
  if (words.length === 0) return {};
  const rows = await sealedSecrets(database, Object.values(secrets));
  const values: Record<string, string> = {};
  for (const [word, secret] of words) {
    const row = rows.find((each) => each.name === secret);
    if (row === undefined) throw unavailable(name, secret, "it must be registered; it is not");
    values[word] = await open(await masterKey(), secret, row.sealed);
  }
  return values;
}

/** The secrets that a trigger's row names, in its order. `group`: theirs must include it; undefined where there is none to ask. */
export async function openSecretValues(
  database: Database,
  { name, secrets, group }: { name: string; secrets: readonly string[]; group: string | undefined },
  masterKey: () => Promise<MasterKey>,
): Promise<readonly string[]> {
  if (secrets.length === 0) return [];
  const rows = await sealedSecrets(database, secrets);
  const key = await masterKey();
  return Promise.all(secrets.map((secret) => open(key, secret, usableRow(rows, { name, secret, group }).sealed)));
}

/** Environment variable → the value of the secret that the service's row names for it. */
export async function openVariables(
  database: Database,
  { name, group, secrets }: Pick<ServiceRow, "name" | "group" | "secrets">,
  masterKey: () => Promise<MasterKey>,
): Promise<Readonly<Record<string, string>>> {
  const variables = Object.entries(secrets);
  const wanted = { name, group, secrets: variables.map(([, secret]) => secret) };
  const values = await openSecretValues(database, wanted, masterKey);
  return Object.fromEntries(variables.map(([variable], place) => [variable, values[place] ?? ""]));
}

async function openSecrets(
  database: Database,
  { name, secretsGroup: group, secrets }: ResolvedOperation,
  masterKey: () => Promise<MasterKey>,
): Promise<Record<string, string>> {
  if (secrets.length === 0) return {};
  const rows = await sealedSecrets(database, secrets);
  const values: Record<string, string> = {};
  for (const secret of secrets) {
    values[secret] = await open(await masterKey(), secret, usableRow(rows, { name, secret, group }).sealed);
  }
  return values;
}

type SealedRow = Awaited<ReturnType<typeof sealedSecrets>>[number];

/** Groups are asked for whenever a secret is opened: they may have been others when the row that names it was written. */
function usableRow(
  rows: readonly SealedRow[],
  { name, secret, group }: { name: string; secret: string; group: string | undefined },
): SealedRow {
  const row = rows.find((each) => each.name === secret);
  if (row === undefined) throw unavailable(name, secret, "it must be registered; it is not");
  const { groups } = row.manifest as unknown as Secret;
  if (group === undefined || groups.includes(group)) return row;
  throw unavailable(name, secret, `its groups must include "${group}"; they are ${groups.join(", ") || "none"}`);
}

async function sealedSecrets(database: Database, names: readonly string[]) {
  try {
    return await database
      .select({ name: entities.name, manifest: entities.manifest, sealed: secretValues.sealed })
      .from(secretValues)
      .innerJoin(entities, and(eq(entities.kind, "secret"), eq(entities.name, secretValues.name)))
      .where(inArray(secretValues.name, [...names]));
  } catch (error) {
    throw fromDatabaseError(error);
  }
}

function unavailable(operation: string, secret: string, reason: string): SwitchyardError {
  return new SwitchyardError("secret_unavailable", `Cannot give the secret "${secret}" to "${operation}": ${reason}`);
}

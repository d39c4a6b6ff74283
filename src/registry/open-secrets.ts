/** The values of secrets that rows name, as they are now. Whether a row may use each is asked again whenever one is opened. */
import { and, eq, inArray } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import type { Environment, Secret } from "../model/entities.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { ServiceRow } from "../model/services.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { entities, secretValues } from "./schema.ts";
import { open, type MasterKey } from "./seal.ts";

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

/** Secret → value, of those that an operation is granted. */
export async function openSecrets(
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

/** Module code under its hash, and what an isolate needs to run it. */
import { eq } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import { sha256 } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import type { IsolateDefinition } from "../model/invocation.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError } from "./database-error.ts";
import { openSecrets } from "./open-secrets.ts";
import { moduleCode } from "./schema.ts";
import type { MasterKey } from "./seal.ts";

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

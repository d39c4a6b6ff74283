/**
 * The code that goes with a module's manifest: in the manifest (`code: |`) or in a file beside it (`code_file:
 * modules/echo.js`). It is checked against the manifest's `sha256` wherever that is given, so a file that was edited
 * by hand cannot pass for the module it was.
 */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { JsonObject } from "../registry.ts";

export type ModuleCode = { sha256: string; bytes: Uint8Array<ArrayBuffer> };

export function loadCode(
  { code, code_file: file, ...fields }: JsonObject,
  { folder, source }: { folder: string; source: string },
): { fields: JsonObject; code: ModuleCode | undefined } {
  if (code === undefined && file === undefined) return { fields, code: undefined };
  if ((code !== undefined && file !== undefined) || typeof (code ?? file) !== "string") {
    throw new SwitchyardError(
      "usage",
      `Cannot read "${source}": a module's code must be text in code or a path in code_file, and not both`,
    );
  }
  const bytes = typeof code === "string" ? new TextEncoder().encode(code) : readCode(file as string, folder, source);
  const sha256 = hashOf(bytes);
  const said = fields["sha256"];
  if (said !== undefined && said !== sha256) {
    throw new SwitchyardError(
      "module_hash_mismatch",
      `Cannot use the code of "${source}": its SHA-256 must be ${said as string}; it is ${sha256}`,
      {
        hint: "If the code was changed on purpose, remove sha256 from the manifest; better, run `opctl deploy` again and export.",
      },
    );
  }
  return { fields: { ...fields, sha256 }, code: { sha256, bytes } };
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readCode(file: string, folder: string, source: string): Uint8Array<ArrayBuffer> {
  try {
    const real = realpathSync(path.resolve(folder, file));
    const inside = path.relative(realpathSync(folder), real);
    // What is read here is sent away: a manifest from somewhere else must not pick files of this machine.
    if (inside === ".." || inside.startsWith(`..${path.sep}`) || path.isAbsolute(inside)) {
      throw new SwitchyardError(
        "usage",
        `Cannot read the code of "${source}": code_file must lie in the manifest's own folder or below; it is ${real}`,
        { hint: "Put the file beside the manifest; better, run `opctl deploy` and export." },
      );
    }
    return new Uint8Array(readFileSync(real));
  } catch (error) {
    if (error instanceof SwitchyardError) throw error;
    throw new SwitchyardError(
      "usage",
      `Cannot read the code of "${source}": code_file must be a readable file; ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

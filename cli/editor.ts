/**
 * One round of editing an entry as YAML in the user's editor. Whatever goes wrong the text is not lost: what can be
 * mended goes back to the editor with the reason on top, and what cannot stays in a file that the error names.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { SwitchyardError } from "../src/core/errors.ts";
import type { Kind } from "../src/model/entities.ts";
import type { Context } from "./command.ts";
import { contentOf, manifestOf } from "./manifests/manifest.ts";
import { diffPatch } from "./merge-patch.ts";
import { patchEntry, replaceEntry, type JsonObject, type Read } from "./registry.ts";
import { parseYaml, toYaml } from "./yaml.ts";

/** Refusals that the user mends in the text itself. */
const MENDABLE = new Set([
  "usage",
  "definition_invalid",
  "schema_unsupported",
  "setting_unsupported",
  "module_not_found",
  "type_conflict",
]);

/** The entry as it is now, or undefined when the text was left as it was. */
export async function editInEditor(context: Context, kind: Kind, before: Read): Promise<Read | undefined> {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "opctl-edit-")), `${kind}-${before.entry.name}.yaml`);
  const original = toYaml(manifestOf(kind, before.entry));
  const header = `# ${kind} ${before.entry.name}, revision ${before.entry.meta.revision}. Save and close to write it; leave it as it is to write nothing.\n`;
  let text = header + original;
  let previous: string | undefined;
  for (;;) {
    writeFileSync(file, text, { mode: 0o600 });
    runEditor(file);
    text = readFileSync(file, "utf8");
    const body = withoutComments(text);
    try {
      if (body === withoutComments(original)) return done(file, undefined);
      const manifest = readManifest(text, kind, before.entry.name);
      const patch = diffPatch(contentOf(before.entry), manifest);
      if (patch !== undefined && Object.keys(patch).length === 0) return done(file, undefined);
      return done(
        file,
        patch === undefined
          ? await replaceEntry(context.client, kind, manifest, before.etag)
          : await patchEntry(context.client, kind, before.entry.name, patch, before.etag),
      );
    } catch (error) {
      if (!(error instanceof SwitchyardError)) throw error;
      // Closing the editor again without a change means "leave it": no endless round.
      if (!MENDABLE.has(error.code) || body === previous) throw kept(error, file, kind, before.entry.name);
      previous = body;
      text = `${reason(error)}${text.replace(/^(?:#!.*\n)+/, "")}`;
      context.output.say(`${error.message}\nOpening the editor again.`);
    }
  }
}

function done(file: string, result: Read | undefined): Read | undefined {
  rmSync(path.dirname(file), { recursive: true, force: true });
  return result;
}

function runEditor(file: string): void {
  const editor = process.env["VISUAL"] || process.env["EDITOR"] || "vi";
  // Through the shell, because $EDITOR is a command line (`code --wait`); the file's name is an argument, not text.
  const run = spawnSync("/bin/sh", ["-c", `${editor} "$1"`, "editor", file], { stdio: "inherit" });
  if (run.status === 0) return;
  const how = run.error?.message ?? (run.signal === null ? `exit code ${run.status}` : `signal ${run.signal}`);
  throw new SwitchyardError(
    "usage",
    `Cannot edit with "${editor}": it must end with exit code 0; it ended with ${how}`,
    {
      hint: `Set EDITOR to an editor that waits (EDITOR=nano, EDITOR='code --wait'), or use -s key=value. The text is in ${file}`,
    },
  );
}

function readManifest(text: string, kind: Kind, name: string): JsonObject {
  const documents = parseYaml(text, "the text");
  const first = documents[0];
  if (documents.length !== 1 || typeof first !== "object" || first === null || Array.isArray(first)) {
    throw new SwitchyardError(
      "usage",
      `Cannot read the text: it must be one YAML mapping; it has ${documents.length} documents`,
    );
  }
  const { kind: said, ...manifest } = first as JsonObject;
  if ((said ?? kind) !== kind || manifest["name"] !== name) {
    throw new SwitchyardError(
      "usage",
      `Cannot change an entry into another: kind and name must stay ${kind} ${name}; they are ${String(said)} ${String(manifest["name"])}`,
      { hint: `opctl duplicate ${kind} ${name} -s name=… makes a copy under another name.` },
    );
  }
  return manifest;
}

function withoutComments(text: string): string {
  return text.replaceAll(/^#.*\n?/gm, "").trim();
}

function reason(error: SwitchyardError): string {
  const issues = (error.errors ?? []).map((issue) => `${issue.pointer || "(the whole)"}: ${issue.detail}`);
  return [error.message, ...issues]
    .flatMap((line) => line.split("\n"))
    .map((line) => `#! ${line}\n`)
    .join("");
}

function kept(error: SwitchyardError, file: string, kind: Kind, name: string): SwitchyardError {
  const retry =
    error.code === "precondition_failed"
      ? `Somebody changed ${kind} ${name} meanwhile. Your text is kept in ${file}: run \`opctl edit ${kind} ${name}\` again and redo it from there.`
      : `Your text is kept in ${file}: \`opctl apply -f ${file}\` tries it again.`;
  return new SwitchyardError(error.code, error.message, {
    hint: error.hint === undefined ? retry : `${error.hint}\n${retry}`,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    cause: error,
  });
}

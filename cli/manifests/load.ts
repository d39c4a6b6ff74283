/**
 * Manifests on disk → documents, checked. YAML or JSON, many documents a file; a folder is read with all folders
 * below it, but for OpenAPI documents, which are another command's. A document that breaks a rule is refused with its file and its
 * number, before anything is sent.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { SwitchyardError } from "../../src/core/errors.ts";
import { KINDS, type Kind } from "../../src/model/entities.ts";
import { issuesOf } from "../../src/model/issues.ts";
import { parseKind } from "../kinds.ts";
import type { JsonObject } from "../registry.ts";
import { parseYaml } from "../yaml.ts";
import { loadCode, type ModuleCode } from "./module-code.ts";

export type Document = {
  kind: Kind;
  name: string;
  /** With every default filled in, as the registry keeps it. */
  content: JsonObject;
  /** Only modules: the code that goes with the manifest, if it is there. */
  code?: ModuleCode;
  /** Where it came from, for messages. */
  source: string;
};

/** `defaultKind` is for a document that does not say its kind. */
export function loadManifests(sources: readonly string[], defaultKind?: Kind): Document[] {
  const documents = sources.flatMap((source) =>
    filesOf(source).flatMap((file) => loadFile(file, { defaultKind, isNamed: file === source })),
  );
  const seen = new Map<string, string>();
  for (const { kind, name, source } of documents) {
    const other = seen.get(`${kind} ${name}`);
    if (other !== undefined) {
      throw new SwitchyardError(
        "usage",
        `Cannot use two manifests of ${kind} "${name}": each entry may be there once; it is in ${other} and in ${source}`,
      );
    }
    seen.set(`${kind} ${name}`, source);
  }
  return documents;
}

function filesOf(source: string): string[] {
  if (source === "-") return ["-"];
  const stats = statSync(source, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new SwitchyardError(
      "usage",
      `Cannot read the manifests "${source}": it must be a file, a folder or -; there is nothing of that name`,
    );
  }
  if (!stats.isDirectory()) return [source];
  const files = readdirSync(source, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith(".") && entry.name !== "node_modules")
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inner = path.join(source, entry.name);
      return entry.isDirectory() ? filesOf(inner) : /\.(?:ya?ml|json)$/.test(entry.name) ? [inner] : [];
    });
  return files;
}

/** `isNamed`: by itself, and not as one of a folder. */
function loadFile(
  file: string,
  { defaultKind, isNamed }: { defaultKind: Kind | undefined; isNamed: boolean },
): Document[] {
  const text = readFileSync(file === "-" ? 0 : file, "utf8");
  const name = file === "-" ? "stdin" : file;
  const values = parseYaml(text, name);
  return values.flatMap((value, index) => {
    if (!isNamed && isOpenApi(value)) return [];
    const source = values.length > 1 ? `${name} (document ${index + 1})` : name;
    return readDocument(value, { source, defaultKind, folder: file === "-" ? "." : path.dirname(file) });
  });
}

function isOpenApi(value: unknown): boolean {
  return typeof value === "object" && value !== null && "openapi" in value && !("kind" in value);
}

type Place = { source: string; defaultKind?: Kind | undefined; folder: string };

/** `folder`: what a module's `code_file` is relative to. Throws usage or definition_invalid, naming `source`. */
export function readDocument(value: unknown, { source, defaultKind, folder }: Place): Document {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SwitchyardError(
      "usage",
      `Cannot read "${source}": a manifest must be a mapping with kind and name; it is ${JSON.stringify(value)?.slice(0, 60)}`,
    );
  }
  const { kind: said = defaultKind, meta: _, ...fields } = value as JsonObject;
  if (typeof said !== "string") {
    throw new SwitchyardError("usage", `Cannot read "${source}": a manifest must say its kind; it says none`, {
      hint: isOpenApi(value) ? `opctl import openapi ${source}` : "Its first line is for example `kind: operation`.",
    });
  }
  const kind = parseKind(said);
  // What `get service NAME -o yaml` shows beside the row: as the meta data, no part of it.
  if (kind === "service") delete fields["status"];
  if (kind === "token" || (kind === "secret" && fields["value"] !== undefined)) {
    throw new SwitchyardError(
      "usage",
      `Cannot use "${source}": a manifest must hold nothing secret; it ${kind === "token" ? "is a token, whose text is made by the platform" : "holds a secret's value"}`,
      {
        hint:
          kind === "token"
            ? "opctl token create NAME --scope …"
            : `opctl secret set ${fields["name"] as string} < file`,
      },
    );
  }
  const { fields: rest, code } = kind === "module" ? loadCode(fields, { folder, source }) : { fields, code: undefined };
  const content = check(kind, rest, source);
  return { kind, name: content["name"] as string, content, source, ...(code === undefined ? {} : { code }) };
}

function check(kind: Kind, fields: JsonObject, source: string): JsonObject {
  const schema: v.GenericSchema = KINDS[kind].schema;
  const result = v.safeParse(schema, fields);
  if (result.success) return result.output as JsonObject;
  const { issues, hint } = issuesOf(result.issues, schema);
  const named = typeof fields["name"] === "string" ? ` "${fields["name"]}"` : "";
  throw new SwitchyardError("definition_invalid", `Cannot use ${source}: the ${kind}${named} breaks a rule`, {
    errors: issues,
    hint: `${hint === undefined ? "" : `${hint} `}Mend ${source}; nothing was sent.`,
  });
}

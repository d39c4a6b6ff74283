/**
 * An OpenAPI document → manifests: an operation for each method of each path, and the exposure that they name. What could not be
 * carried is said for each; nothing is dropped silently.
 */
import { isObject, membersOf, Obstacle, type Json } from "./_obstacle.ts";
import type { Documents } from "./documents.ts";
import { freeName, operationName } from "./names.ts";
import { readOperation, securityOf } from "./operation.ts";
import { serverOf } from "./server.ts";

export type ImportOptions = {
  /** What the operations name. */
  exposure: string;
  /** Set: the exposure is made too, and leads to it. */
  service?: string | undefined;
  prefix: string;
  group?: string | undefined;
};

export type Imported = {
  /** With their kinds, as files have them. */
  manifests: Json[];
  /** Operations that are not there, and why: `GET /files: …`. */
  skipped: string[];
  /** Parts of others that are not. */
  notes: string[];
};

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

export async function importOpenApi(documents: Documents, options: ImportOptions): Promise<Imported> {
  const { root, file } = documents;
  const { basePath, notes } = serverOf(root);
  const imported: Imported = { manifests: [], skipped: [], notes: [] };
  const { exposure, service, prefix, group } = options;
  if (service !== undefined) {
    imported.manifests.push({
      kind: "exposure",
      name: exposure,
      service,
      ...(basePath === "" ? {} : { base_path: basePath }),
    });
    imported.notes.push(...notes);
  } else if (basePath !== "") {
    imported.notes.push(`its server is at "${basePath}": the exposure "${exposure}" must have that as its base_path`);
  }
  const names = new Set<string>();
  const secured = new Map<string, string[]>();
  for (const { label, method, path, item, operation, place } of operationsOf(documents, imported.skipped)) {
    const own: string[] = [];
    try {
      const read = await readOperation(
        { documents, method: method.toUpperCase(), path, operation, item, file: place },
        (what) => void own.push(what),
      );
      const wanted = operationName({ operationId: operation["operationId"], method, path }, prefix);
      const name = freeName(wanted, names);
      if (name !== wanted) own.push(`it is "${name}" here: another is "${wanted}" already`);
      names.add(name);
      const { description, provided_by: providedBy, ...rest } = read;
      imported.manifests.push({
        kind: "operation",
        name,
        ...(description === undefined ? {} : { description }),
        ...(group === undefined ? {} : { group }),
        provided_by: { exposure, ...(providedBy as Json) },
        ...rest,
      });
      for (const scheme of securityOf(operation, root)) secured.set(scheme, [...(secured.get(scheme) ?? []), label]);
      imported.notes.push(...own.map((what) => `${label}: ${what}`));
    } catch (error) {
      if (!(error instanceof Obstacle)) throw error;
      imported.skipped.push(`${label}: ${error.message}`);
    }
  }
  for (const [scheme, labels] of secured) imported.notes.push(securityNote(scheme, labels, documents));
  if (membersOf(root["webhooks"]).length > 0) imported.notes.push(`left out: the webhooks of ${file}`);
  return imported;
}

type Listed = { label: string; method: string; path: string; item: Json; operation: Json; place: string };

function operationsOf(documents: Documents, skipped: string[]): Listed[] {
  const found: Listed[] = [];
  for (const [path, value] of membersOf(documents.root["paths"])) {
    if (path.startsWith("x-")) continue;
    try {
      const { value: settled, file } = documents.settle(value, documents.file);
      const item = isObject(settled) ? settled : {};
      for (const method of METHODS) {
        const operation = item[method];
        if (!isObject(operation)) continue;
        found.push({ label: `${method.toUpperCase()} ${path}`, method, path, item, operation, place: file });
      }
    } catch (error) {
      if (!(error instanceof Obstacle)) throw error;
      skipped.push(`${path}: ${error.message}`);
    }
  }
  return found;
}

function securityNote(scheme: string, labels: readonly string[], { root }: Documents): string {
  const { components } = root;
  const schemes = isObject(components) ? components["securitySchemes"] : undefined;
  const said = isObject(schemes) ? schemes[scheme] : undefined;
  const sort = isObject(said) ? [said["type"], said["scheme"] ?? said["in"]].filter(Boolean).join(" ") : "";
  const which = labels.length > 3 ? `${labels.length} operations` : labels.join(", ");
  return `left out: security "${scheme}"${sort === "" ? "" : ` (${sort})`} of ${which}; no credentials are sent`;
}

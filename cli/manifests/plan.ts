/**
 * What it takes to make the registry match the manifests. Reads only: `apply` carries the plan out, `diff` and
 * `--dry-run` show it.
 */
import { canonicalJson } from "../../src/core/hash.ts";
import type { Kind } from "../../src/model/entities.ts";
import type { Client } from "../client.ts";
import { diffPatch } from "../merge-patch.ts";
import { findEntry, listEntries, type Entry, type JsonObject, type Read } from "../registry.ts";
import type { Document } from "./load.ts";
import { contentOf } from "./manifest.ts";
import { inOrder } from "./order.ts";
import { isUserMade, MANIFEST_KINDS } from "./user-made.ts";

export type Step =
  | { action: "create"; document: Document }
  | { action: "unchanged"; document: Document; read: Read }
  | {
      action: "change";
      document: Document;
      read: Read;
      /** undefined: no merge patch can say it, so the entry is replaced whole. */
      patch: JsonObject | undefined;
      /** Set when the fields are the same and only the code behind them is not. */
      newCode?: true;
    }
  | { action: "delete"; kind: Kind; entry: Entry };

/** With `prune`, entries of the kinds that the manifests have, made by users and named in no manifest, are deleted. */
export async function planApply(client: Client, documents: readonly Document[], prune: boolean): Promise<Step[]> {
  const steps: Step[] = [];
  for (const document of inOrder(documents)) steps.push(await planOne(client, document, documents));
  return prune ? [...steps, ...(await planPrune(client, documents))] : steps;
}

async function planOne(client: Client, document: Document, all: readonly Document[]): Promise<Step> {
  const read = await findEntry(client, document.kind, document.name);
  if (read === undefined) return { action: "create", document };
  const before = contentOf(read.entry);
  const after = await settled(client, document, before, all);
  const patch = diffPatch(before, after);
  const newCode = hasNewCode(document, read.entry, all);
  if (patch !== undefined && Object.keys(patch).length === 0) {
    if (!newCode) return { action: "unchanged", document, read };
    // Saying implemented_at is what makes the registry look at the module again.
    const again = { implemented_at: document.content["implemented_at"] };
    return { action: "change", document, read, patch: again, newCode };
  }
  if (patch !== undefined && newCode) patch["implemented_at"] = document.content["implemented_at"];
  return { action: "change", document, read, patch };
}

/** An operation is pinned to the code it was written with; a manifest that brings newer code wants it to follow. */
function hasNewCode(document: Document, entry: Entry, all: readonly Document[]): true | undefined {
  if (document.kind !== "operation") return undefined;
  const implemented = document.content["implemented_at"];
  const module = typeof implemented === "string" ? implemented.split(":")[0] : undefined;
  const brought = all.find(({ kind, name }) => kind === "module" && name === module);
  const sha256 = brought?.content["sha256"];
  return sha256 !== undefined && sha256 !== entry.meta.resolved?.code_sha256 ? true : undefined;
}

/** The registry keeps a named inline type as a type of its own and the name in the row: compare with what it keeps. */
async function settled(
  client: Client,
  document: Document,
  before: JsonObject,
  all: readonly Document[],
): Promise<JsonObject> {
  if (document.kind !== "operation") return document.content;
  const content = { ...document.content };
  for (const side of ["input_type", "output_type"]) {
    const inline = content[side] as JsonObject | string | null;
    if (typeof inline !== "object" || inline === null || inline["name"] !== before[side]) continue;
    const name = before[side] as string;
    if (all.some((other) => other.kind === "type" && other.name === name)) continue;
    const stored = await findEntry(client, "type", name);
    if (stored !== undefined && sameType(inline, contentOf(stored.entry))) content[side] = name;
  }
  return content;
}

function sameType(inline: JsonObject, stored: JsonObject): boolean {
  const bare = inline["schema"] === undefined && inline["attributes"] === undefined;
  const { name: _, ...schema } = inline;
  return definitionOf(bare ? { schema } : inline) === definitionOf(stored);
}

function definitionOf({ schema, attributes }: JsonObject): string {
  return canonicalJson({ schema, attributes });
}

async function planPrune(client: Client, documents: readonly Document[]): Promise<Step[]> {
  const surplus: { kind: Kind; name: string; content: JsonObject; entry: Entry }[] = [];
  for (const kind of MANIFEST_KINDS) {
    const wanted = new Set(documents.filter((document) => document.kind === kind).map(({ name }) => name));
    if (wanted.size === 0) continue;
    for await (const entry of listEntries(client, kind)) {
      if (wanted.has(entry.name) || !isUserMade(kind, entry)) continue;
      surplus.push({ kind, name: entry.name, content: contentOf(entry), entry });
    }
  }
  // What names something goes before it, or that would still be in use.
  return inOrder(surplus)
    .toReversed()
    .map(({ kind, entry }) => ({ action: "delete", kind, entry }));
}

/** Which entries are the users' own. What the platform installs by itself is neither exported nor pruned. */
import type { Kind } from "../../src/model/entities.ts";
import type { Entry } from "../registry.ts";

/** Kinds that manifests carry, each after those that it may name: the others hold what must not be in a file. */
export const MANIFEST_KINDS = [
  "type",
  "module",
  "environment",
  "state_machine",
  "service",
  "exposure",
  "operation",
  "webhook",
  "schedule",
  "subscription",
  "job",
  "agent",
] as const satisfies readonly Kind[];

export function isUserMade(kind: Kind, entry: Entry): boolean {
  if (kind === "operation" && entry["group"] === "registry") return false;
  return entry.meta.updated_by !== "system";
}

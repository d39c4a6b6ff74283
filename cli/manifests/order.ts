/**
 * The order in which manifests are written so that what one names is there before it: secrets, types, modules, environments,
 * then what runs and what is called, then triggers. Among these it goes by what each names and not by its kind alone: a service
 * may start by an operation, and another operation be provided by that service. Pruning goes the other way round.
 */
import type { Kind } from "../../src/model/entities.ts";
import { MANIFEST_KINDS } from "./user-made.ts";

const KIND_ORDER: readonly Kind[] = ["token", "secret", ...MANIFEST_KINDS];

type Named = { kind: Kind; name: string; content: unknown };

export function inOrder<T extends Named>(documents: readonly T[]): T[] {
  const byKey = new Map(documents.map((document) => [keyOf(document.kind, document.name), document]));
  const seen = new Set<T>();
  const ordered: T[] = [];
  const place = (document: T): void => {
    if (seen.has(document)) return; // Also where they name each other in a circle: the registry has the last word.
    seen.add(document);
    for (const key of namedBy(document)) {
      const named = byKey.get(key);
      if (named !== undefined) place(named);
    }
    ordered.push(document);
  };
  const rank = (document: Named): number => KIND_ORDER.indexOf(document.kind);
  // The sort is stable, so what does not hang together stays as it was.
  for (const document of documents.toSorted((a, b) => rank(a) - rank(b))) place(document);
  return ordered;
}

/** Whether the name is among the strings in there, whatever it is of. */
export function isNamedIn(content: unknown, name: string): boolean {
  return [...stringsIn(content)].includes(name);
}

function keyOf(kind: Kind, name: string): string {
  return `${kind} ${name}`;
}

function keys(kind: Kind, names: unknown): string[] {
  return [...stringsIn(names)].map((name) => keyOf(kind, name));
}

/** Those of the same rank or a later one: the earlier ones are there already. */
function namedBy({ kind, content }: Named): string[] {
  const fields = (typeof content === "object" && content !== null ? content : {}) as Record<string, unknown>;
  switch (kind) {
    case "type":
      return keys("type", content);
    case "operation":
      return keys("exposure", (fields["provided_by"] as { exposure?: unknown } | null | undefined)?.exposure);
    case "exposure":
      return keys("service", fields["service"]);
    case "service":
      return [...keys("state_machine", fields["state_machine"]), ...keys("operation", fields["operations"])];
    case "state_machine":
      return keys("operation", [...membersIn(fields["transitions"], "operation")]);
    default:
      return [];
  }
}

/** Every string in the value: one of them may be another type's name, as `data_type` or at the end of a `$ref`. */
function* stringsIn(value: unknown): Generator<string> {
  if (typeof value === "string") {
    yield value;
    const tail = value.split(/[/#]/).at(-1);
    if (tail !== undefined && tail !== value) yield tail;
  } else if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) yield* stringsIn(member);
  }
}

function* membersIn(value: unknown, wanted: string): Generator {
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === wanted) yield member;
    else yield* membersIn(member, wanted);
  }
}

/**
 * Entries that come with the platform: written once, upgraded with it, and never forced on whoever changed them, nor on rows of
 * users that could not go along. What users made of them goes along in one thing: where it still has the types of its function,
 * it keeps having them.
 */
import { and, eq, inArray, or, sql } from "drizzle-orm";
import { SwitchyardError } from "../core/errors.ts";
import { canonicalJson } from "../core/hash.ts";
import type { Kind, Manifest } from "../model/entities.ts";
import type { Principal } from "../model/principal.ts";
import { attempt } from "./attempt.ts";
import type { Database } from "./database.ts";
import type { Change, Draft, Row } from "./draft.ts";
import { RULES } from "./kinds/index.ts";
import { usesOf, type OperationResolved } from "./kinds/operation-resolved.ts";
import { withDefaults } from "./kinds/operation-settings.ts";
import { settleSide } from "./kinds/operation-types.ts";
import type { KindRules, RegistryPorts, Settled, WriteContext } from "./kinds/rules.ts";
import { entities, revisions, type Json } from "./schema.ts";
import { parseManifest } from "./write.ts";

export type Installable = { [K in Kind]: { kind: K; manifest: Partial<Manifest[K]> & { name: string } } }[Kind];

/** The author of what the platform itself writes. */
export const SYSTEM: Principal = { id: "system", name: "system", scopes: ["admin"] };

type Options = { database: Database; ports: RegistryPorts; now: () => number };

export async function install(entries: readonly Installable[], { database, ports, now }: Options): Promise<Change[]> {
  const { changes } = await attempt({ database, author: SYSTEM.id, now }, async (draft) => {
    const current = await known(database, entries);
    const written = new Set<string>();
    for (const { kind, manifest: partial } of entries) {
      const manifest = parseManifest(kind, partial);
      const row = current.get(`${kind} ${manifest.name}`);
      if (row === "deleted" || (row !== undefined && row.touched)) continue;
      if (row !== undefined && canonicalJson(row.manifest) === canonicalJson(manifest)) continue;
      const before = await draft.stored(kind, manifest.name);
      const settled = await settle(kind, manifest, { draft, ports, before });
      if (settled === undefined) continue;
      await draft.stage({ kind, name: manifest.name, action: "install", ...settled });
      written.add(`${kind} ${manifest.name}`);
    }
    if (written.size === 0) return;
    for (const row of await overBuiltins(database)) {
      if (!written.has(`operation ${row.name}`)) await follow(draft, row, ports);
    }
  });
  return changes;
}

/** undefined: rows of users stand in the way of the upgrade. They must not keep the platform from starting: it is left for later. */
async function settle(
  kind: Kind,
  manifest: Json,
  context: Pick<WriteContext, "draft" | "ports" | "before">,
): Promise<Settled | undefined> {
  const { draft, before } = context;
  const touched = new Set(Object.keys(manifest));
  try {
    return await (RULES[kind] as unknown as KindRules<"operation">).settle(manifest as never, {
      ...context,
      principal: SYSTEM,
      basis: undefined,
      touched,
    });
  } catch (error) {
    const isRefused = error instanceof SwitchyardError && error.code === "definition_invalid";
    if (!isRefused || before === undefined || (await draft.users(kind, before.name)).length === 0) throw error;
    console.error(JSON.stringify({ level: "warn", message: `registry: not upgraded: ${error.message}` }));
    return undefined;
  }
}

function overBuiltins(database: Database): Promise<Row[]> {
  return database
    .select()
    .from(entities)
    .where(
      and(eq(entities.kind, "operation"), sql`json_extract(${entities.resolved}, '$.implementation.kind') = 'builtin'`),
    );
}

/** A copy of a function's row would refuse what the function answers after an upgrade: its types are closed. */
async function follow(draft: Draft, row: Row, ports: RegistryPorts): Promise<void> {
  const stored = row.resolved as OperationResolved;
  if (stored.implementation.kind !== "builtin") return;
  const code = ports.builtin(stored.implementation.function);
  if (code === undefined) return;
  const manifest = withDefaults(row.manifest);
  const resolved = { ...stored, code };
  let changed = false;
  for (const side of ["input", "output"] as const) {
    const before = canonicalJson(stored.code[side].schema);
    if (before === canonicalJson(code[side].schema)) continue;
    const reference = manifest[`${side}_type`];
    if (reference !== null && canonicalJson(reference) !== before) continue;
    if (reference !== null) manifest[`${side}_type`] = code[side].schema;
    const options = { code: code[side], pointer: `/${side}_type` };
    resolved[side] = (await settleSide(draft, manifest[`${side}_type`], options)).side;
    changed = true;
  }
  if (!changed) return;
  const uses = usesOf(manifest, resolved);
  await draft.stage({ kind: "operation", name: row.name, action: "install", manifest, resolved, uses });
}

/** `touched`: somebody else wrote a revision of it, whoever wrote the last. */
type Known = Map<string, { manifest: Json; touched: boolean } | "deleted">;

/** In two queries, because at every start but the first there is nothing to do. */
async function known(database: Database, entries: readonly Installable[]): Promise<Known> {
  const byKind = Map.groupBy(entries, ({ kind }) => kind);
  const wanted = (table: typeof entities | typeof revisions) =>
    or(
      ...[...byKind].map(([kind, some]) =>
        and(
          eq(table.kind, kind),
          inArray(
            table.name,
            some.map(({ manifest }) => manifest.name),
          ),
        ),
      ),
    );
  const found: Known = new Map();
  const past = await database
    .selectDistinct({ kind: revisions.kind, name: revisions.name, author: revisions.author })
    .from(revisions)
    .where(wanted(revisions));
  for (const { kind, name } of past) found.set(`${kind} ${name}`, "deleted");
  const others = new Set(past.filter(({ author }) => author !== SYSTEM.id).map(({ kind, name }) => `${kind} ${name}`));
  for (const row of await database.select().from(entities).where(wanted(entities))) {
    const key = `${row.kind} ${row.name}`;
    found.set(key, { manifest: row.manifest, touched: others.has(key) });
  }
  return found;
}

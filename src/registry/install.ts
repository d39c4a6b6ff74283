/** Entries that come with the platform: written once, upgraded with it, and never forced on whoever changed them. */
import { and, eq, inArray, or } from "drizzle-orm";
import { canonicalJson } from "../core/hash.ts";
import type { Kind, Manifest } from "../model/entities.ts";
import type { Principal } from "../model/principal.ts";
import { attempt } from "./attempt.ts";
import type { Database } from "./database.ts";
import type { Change } from "./draft.ts";
import { RULES } from "./kinds/index.ts";
import type { KindRules, RegistryPorts } from "./kinds/rules.ts";
import { entities, revisions, type Json } from "./schema.ts";
import { parseManifest } from "./write.ts";

export type Installable = { [K in Kind]: { kind: K; manifest: Partial<Manifest[K]> & { name: string } } }[Kind];

/** The author of what the platform itself writes. */
export const SYSTEM: Principal = { id: "system", name: "system", scopes: ["admin"] };

type Options = { database: Database; ports: RegistryPorts; now: () => number };

export async function install(entries: readonly Installable[], { database, ports, now }: Options): Promise<Change[]> {
  const { changes } = await attempt({ database, author: SYSTEM.id, now }, async (draft) => {
    const current = await known(database, entries);
    for (const { kind, manifest: partial } of entries) {
      const manifest = parseManifest(kind, partial);
      const row = current.get(`${kind} ${manifest.name}`);
      if (row === "deleted" || (row !== undefined && row.author !== SYSTEM.id)) continue;
      if (row !== undefined && canonicalJson(row.manifest) === canonicalJson(manifest)) continue;
      const before = await draft.stored(kind, manifest.name);
      const settled = await (RULES[kind] as unknown as KindRules<"operation">).settle(manifest as never, {
        draft,
        principal: SYSTEM,
        ports,
        before,
        basis: undefined,
        touched: new Set(Object.keys(manifest)),
      });
      await draft.stage({ kind, name: manifest.name, action: "install", ...settled });
    }
  });
  return changes;
}

type Known = Map<string, { manifest: Json; author: string } | "deleted">;

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
    .selectDistinct({ kind: revisions.kind, name: revisions.name })
    .from(revisions)
    .where(wanted(revisions));
  for (const { kind, name } of past) found.set(`${kind} ${name}`, "deleted");
  for (const row of await database.select().from(entities).where(wanted(entities))) {
    found.set(`${row.kind} ${row.name}`, { manifest: row.manifest, author: row.updated_by });
  }
  return found;
}

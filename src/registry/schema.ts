/**
 * The registry's tables. One generic store holds every kind: what the kinds have in common (revisions, change log,
 * uses) is written once. The highest `changes.seq` is the registry revision, and because it is a primary key that
 * every write must claim first, it is also what makes two writers at once impossible.
 */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Kind } from "../model/entities.ts";

export type Json = Record<string, unknown>;
export type Action = "create" | "edit" | "delete" | "duplicate" | "rollback" | "ripple" | "install";

/** What is in force now. */
export const entities = sqliteTable(
  "entities",
  {
    kind: text().$type<Kind>().notNull(),
    name: text().notNull(),
    revision: integer().notNull(),
    digest: text().notNull(),
    manifest: text({ mode: "json" }).$type<Json>().notNull(),
    /** What names in the manifest meant when the revision was written: hashes, closed types. */
    resolved: text({ mode: "json" }).$type<Json>().notNull(),
    created_at: text().notNull(),
    updated_at: text().notNull(),
    updated_by: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.name] })],
);

/** Everything that ever was in force. Rows are never changed, and outlive the entity. */
export const revisions = sqliteTable(
  "revisions",
  {
    kind: text().$type<Kind>().notNull(),
    name: text().notNull(),
    revision: integer().notNull(),
    digest: text().notNull(),
    manifest: text({ mode: "json" }).$type<Json>().notNull(),
    resolved: text({ mode: "json" }).$type<Json>().notNull(),
    author: text().notNull(),
    at: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.name, table.revision] })],
);

/**
 * The change log: `before` and `after` are digests. Each row's hash covers it and the hash of the row before it, see
 * audit/chain.ts. Without one is what a version before the chain has written, until extendChain() has come by.
 */
export const changes = sqliteTable(
  "changes",
  {
    seq: integer().primaryKey(),
    kind: text().$type<Kind>().notNull(),
    name: text().notNull(),
    action: text().$type<Action>().notNull(),
    author: text().notNull(),
    before: text(),
    after: text(),
    at: text().notNull(),
    /** The revision that it made; of a delete, the one that it ended. */
    revision: integer(),
    /** What asked for it, `TYPE:ID`, where that was not the author's own request: an execution that called the function. */
    caller: text(),
    /** Digest over the entry's rows in `uses`; null of a delete, and where a version before the chain wrote it. */
    uses: text(),
    hash: text(),
  },
  (table) => [index("changes_by_entry").on(table.kind, table.name)],
);

/**
 * Who uses what, of the entities in force. `written` is 1 where the user's manifest names the target, so that a
 * change of the target is a change of the user; 0 where the target's name only came with the code.
 */
export const uses = sqliteTable(
  "uses",
  {
    kind: text().$type<Kind>().notNull(),
    name: text().notNull(),
    /** `path`: no entry, but the shape of a path, which one operation at most may have. */
    target_kind: text().$type<Kind | "path">().notNull(),
    target_name: text().notNull(),
    written: integer({ mode: "boolean" }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.name, table.target_kind, table.target_name] }),
    index("uses_by_target").on(table.target_kind, table.target_name),
  ],
);

/** Module code, immutable under its hash. */
export const moduleCode = sqliteTable("module_code", {
  sha256: text().primaryKey(),
  /** ESM source is text: UTF-8 is checked on the way in, so that the bytes of this text have that hash. */
  code: text().notNull(),
  size_bytes: integer().notNull(),
  at: text().notNull(),
});

/** The secret half of a token, as SHA-256. Apart from the entity, so that no manifest or revision ever holds it. */
export const tokenSecrets = sqliteTable(
  "token_secrets",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    secret_sha256: text().notNull(),
  },
  (table) => [index("token_secrets_by_name").on(table.name)],
);

/** When a token was last used, to the minute. Not part of a revision: it changes with every use. */
export const tokenUse = sqliteTable("token_use", {
  id: text().primaryKey(),
  last_used_at: text().notNull(),
});

/** A secret's sealed value. Only the newest is kept: a rotated secret is gone for good. */
export const secretValues = sqliteTable("secret_values", {
  name: text().primaryKey(),
  version: text().notNull(),
  sealed: text().notNull(),
});

/**
 * Every way to change an entry. Each is worked out as a draft and tried again from the start when another writer was
 * faster, so that a precondition is always checked against the state the write lands on.
 */
import * as v from "valibot";
import { and, eq } from "drizzle-orm";
import { SwitchyardError, type Issue } from "../core/errors.ts";
import { KINDS, type Kind } from "../model/entities.ts";
import { issuesOf } from "../model/issues.ts";
import type { Caller, Principal } from "../model/principal.ts";
import type { View } from "../model/view.ts";
import type { Database } from "./database.ts";
import { attempt } from "./attempt.ts";
import type { Change, Row } from "./draft.ts";
import { RULES } from "./kinds/index.ts";
import { listUsers } from "./kinds/module.ts";
import type { KindRules, RegistryPorts, Settled, WriteContext } from "./kinds/rules.ts";
import { mergePatch } from "./merge-patch.ts";
import { revisions, type Action, type Json } from "./schema.ts";
import { toView } from "./view.ts";

export type Write =
  | { action: "create"; kind: Kind; manifest: Json }
  | { action: "put"; kind: Kind; manifest: Json; ifMatch?: string; ifNoneMatch?: "*" }
  | { action: "edit"; kind: Kind; name: string; patch: Json; ifMatch?: string }
  | { action: "duplicate"; kind: Kind; name: string; patch: Json }
  | { action: "rollback"; kind: Kind; name: string; to: number; ifMatch?: string }
  | { action: "delete"; kind: Kind; name: string; ifMatch?: string };

export type Written = {
  /** The entry as it is now; undefined after a delete. */
  view: View | undefined;
  /** The registry revision at which the write is visible. */
  registryRevision: number;
  changes: Change[];
  /** What is said once: a new token's text. */
  once: Json;
  /** What may not be as it was meant. */
  warnings: readonly Issue[];
};

/** `caller` is what called the function that writes; undefined for a request that writes by itself. */
export type Writer = (write: Write, principal: Principal, caller?: Caller) => Promise<Written>;

export function createWriter(database: Database, ports: RegistryPorts, now: () => number): Writer {
  return async (write, principal, caller) => {
    // A token or a trigger that calls the function is the author, and is named already.
    const asked = caller === undefined || caller.type === "token" ? undefined : `${caller.type}:${caller.id}`;
    const by = asked === principal.id ? undefined : asked;
    const { result, changes, registryRevision } = await attempt(
      { database, author: principal.id, caller: by, now },
      (draft) => workOut(write, { draft, principal, ports }),
    );
    const { row, once = {}, warnings = [] } = result;
    return { view: row === undefined ? undefined : toView(row), registryRevision, changes, once, warnings };
  };
}

type Base = Pick<WriteContext, "draft" | "principal" | "ports">;

type Landed = { row: Row | undefined } & Partial<Pick<Settled, "once" | "warnings">>;

async function workOut(write: Write, base: Base): Promise<Landed> {
  const { kind } = write;
  const { draft } = base;
  if (write.action === "create" || write.action === "put") {
    const manifest = parseManifest(kind, write.manifest);
    const before = await draft.stored(kind, manifest.name);
    if (write.action === "create" && before !== undefined) throw exists(kind, manifest.name);
    if (write.action === "put") {
      if (write.ifNoneMatch === "*" && before !== undefined)
        throw preconditionFailed(kind, manifest.name, "it must not exist", before);
      checkMatch(write.ifMatch, kind, manifest.name, before);
    }
    const context: WriteContext = { ...base, before, basis: undefined, touched: new Set(Object.keys(manifest)) };
    return land(kind, manifest, { context, action: before === undefined ? "create" : "edit" });
  }
  const before = await draft.stored(kind, write.name);
  if (before === undefined) {
    // What was secret of a token or a secret went with it. All else that was deleted is there to be brought back.
    if (write.action !== "rollback" || rulesOf(kind).remove !== undefined) throw notFound(kind, write.name);
    checkMatch(write.ifMatch, kind, write.name, before);
    return rollback(write, { ...base, before, basis: before, touched: new Set() });
  }
  if (write.action === "duplicate") {
    const manifest = parseManifest(kind, mergePatch(before.manifest, write.patch));
    if (manifest.name === write.name || (await draft.stored(kind, manifest.name)) !== undefined)
      throw exists(kind, manifest.name);
    const context: WriteContext = {
      ...base,
      before: undefined,
      basis: before,
      touched: new Set(Object.keys(write.patch)),
    };
    return land(kind, manifest, { context, action: "duplicate" });
  }
  checkMatch(write.ifMatch, kind, write.name, before);
  switch (write.action) {
    case "edit": {
      const manifest = parseManifest(kind, mergePatch(before.manifest, write.patch));
      if (manifest.name !== write.name) {
        throw new SwitchyardError(
          "definition_invalid",
          `Cannot rename the ${kind} "${write.name}": a name is for good; the patch says "${manifest.name}"`,
          {
            hint: `opctl duplicate ${kind} ${write.name} -s name=${manifest.name}`,
          },
        );
      }
      const context: WriteContext = { ...base, before, basis: before, touched: new Set(Object.keys(write.patch)) };
      return land(kind, manifest, { context, action: "edit" });
    }
    case "rollback":
      return rollback(write, { ...base, before, basis: before, touched: new Set() });
    case "delete": {
      const users = await draft.users(kind, write.name);
      if (users.length > 0) {
        throw new SwitchyardError(
          "entity_in_use",
          `Cannot delete the ${kind} "${write.name}": nothing may use it; it is used by ${listUsers(users)}`,
        );
      }
      draft.remove(before);
      rulesOf(kind).remove?.(before, { ...base, before, basis: before, touched: new Set() });
      return { row: undefined };
    }
  }
}

type Landing = { context: WriteContext; action: Action };

async function land(kind: Kind, manifest: Json & { name: string }, options: Landing): Promise<Landed> {
  const settled = await rulesOf(kind).settle(manifest, options.context);
  return stage(kind, settled, { ...options, name: manifest.name });
}

async function stage(kind: Kind, settled: Settled, options: Landing & { name: string }): Promise<Landed> {
  const { context, action, name } = options;
  const { once, warnings, ...next } = settled;
  const row = await context.draft.stage({ kind, name, action, ...next });
  if (row !== context.before) await rulesOf(kind).follow?.(row, context);
  return { row, ...(once === undefined ? {} : { once }), ...(warnings === undefined ? {} : { warnings }) };
}

async function rollback(write: Write & { action: "rollback" }, context: WriteContext): Promise<Landed> {
  const { kind, name, to } = write;
  const [stored] = await context.draft.database
    .select()
    .from(revisions)
    .where(and(eq(revisions.kind, kind), eq(revisions.name, name), eq(revisions.revision, to)));
  if (stored === undefined) {
    if (context.before === undefined) throw notFound(kind, name);
    throw new SwitchyardError(
      "entity_not_found",
      `Cannot roll the ${kind} "${name}" back to revision ${to}: it must be stored; it is not`,
      {
        hint: `opctl call list_${kind}_revision name=${name}`,
      },
    );
  }
  const { manifest, resolved } = stored;
  const rules = rulesOf(kind);
  const settled =
    rules.restore === undefined ? { manifest, resolved, uses: [] } : await rules.restore(manifest, resolved, context);
  return stage(kind, settled, { context, action: "rollback", name });
}

/** The table of rules is exact kind by kind; a kind known only at run time sees them with JSON. */
function rulesOf(kind: Kind): KindRules<never> & {
  settle(manifest: Json, context: WriteContext): Promise<Settled>;
  restore?(manifest: Json, resolved: Json, context: WriteContext): Promise<Settled>;
} {
  return RULES[kind];
}

export function parseManifest(kind: Kind, value: unknown): Json & { name: string } {
  const result = v.safeParse(KINDS[kind].schema, value);
  if (result.success) return result.output;
  const { issues, ...hint } = issuesOf(result.issues, KINDS[kind].schema);
  const [first] = issues;
  throw new SwitchyardError(
    "definition_invalid",
    `Cannot store the ${kind}: its definition must follow the rules; ${first.pointer || "it"}: ${first.detail}`,
    { errors: issues, ...hint },
  );
}

export function notFound(kind: Kind, name: string): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot find the ${kind} "${name}": it must be registered; it is not`,
    {
      hint: `opctl get ${KINDS[kind].plural}`,
    },
  );
}

function exists(kind: Kind, name: string): SwitchyardError {
  return new SwitchyardError(
    "entity_exists",
    `Cannot create the ${kind} "${name}": its name must be free; it is taken`,
    {
      hint: `opctl edit ${kind} ${name}, or opctl apply`,
    },
  );
}

function checkMatch(ifMatch: string | undefined, kind: Kind, name: string, row: Row | undefined): void {
  if (ifMatch === undefined || ifMatch === row?.digest || (ifMatch === "*" && row !== undefined)) return;
  throw preconditionFailed(kind, name, `its digest must be ${ifMatch}`, row);
}

function preconditionFailed(kind: Kind, name: string, rule: string, row: Row | undefined): SwitchyardError {
  return new SwitchyardError(
    "precondition_failed",
    `Cannot write the ${kind} "${name}": ${rule}; it is ${row === undefined ? "not there" : row.digest}`,
  );
}

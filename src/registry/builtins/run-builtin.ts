/** Runs a function of the platform for a principal: the scope it demands, its input, then the registry. */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { Kind } from "../../model/entities.ts";
import { issuesOf } from "../../model/issues.ts";
import { allows, type Principal } from "../../model/principal.ts";
import { getEntity, listChanges, listEntities, listRevisions } from "../read.ts";
import type { Registry } from "../registry.ts";
import type { Json } from "../schema.ts";
import type { Write } from "../write.ts";
import type { Builtin, BuiltinResult } from "./builtin.ts";
import { builtinOf } from "./definitions.ts";
import * as schemas from "./schemas.ts";

export async function runBuiltin(
  registry: Registry,
  name: string,
  ...[input, principal]: [unknown, Principal]
): Promise<BuiltinResult> {
  const builtin = builtinOf(name);
  if (builtin === undefined) {
    throw new SwitchyardError(
      "operation_not_found",
      `Cannot run "${name}": it must be a function of the platform; there is none of that name`,
    );
  }
  if (!allows(principal, builtin.scope)) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot run "${name}": it needs the scope ${builtin.scope}; the token "${principal.name}" has ${principal.scopes.join(", ") || "none"}`,
    );
  }
  if (builtin.kind === undefined) {
    return { output: await listChanges(registry.database, parse(schemas.changesInput, input, name)) };
  }
  return run(registry, { builtin, kind: builtin.kind, input, principal });
}

type Run = { builtin: Builtin; kind: Kind; input: unknown; principal: Principal };

async function run(registry: Registry, { builtin, kind, input, principal }: Run): Promise<BuiltinResult> {
  const { name } = builtin;
  const { database } = registry;
  const write = (change: Write) => written(registry, change, principal);
  switch (builtin.verb) {
    case "list": {
      const { limit, cursor, ...conditions } = parse(schemas.listInput(kind), input, name) as v.InferOutput<
        typeof schemas.changesInput
      > &
        Json;
      return {
        output: await listEntities(database, kind, {
          limit,
          cursor,
          conditions: conditions as Record<string, schemas.Condition>,
        }),
      };
    }
    case "get": {
      const view = await getEntity(database, kind, parse(schemas.getInput, input, name));
      return { output: view, etag: view.meta.digest };
    }
    case "revisions":
      return { output: await listRevisions(database, kind, parse(schemas.revisionsInput, input, name)) };
    case "changes":
      return { output: await listChanges(database, parse(schemas.changesInput, input, name)) };
    case "create":
    case "put": {
      // The manifest itself is checked where every write is: its errors point into the definition.
      const { if_match: ifMatch, if_none_match: ifNoneMatch, ...manifest } = parse(WriteEnvelope, input, name);
      if (builtin.verb === "create") return write({ action: "create", kind, manifest });
      return write({ action: "put", kind, manifest, ...optional({ ifMatch, ifNoneMatch }) });
    }
    case "edit": {
      const { name: entry, patch, if_match: ifMatch } = parse(schemas.editInput, input, name);
      return write({ action: "edit", kind, name: entry, patch, ...optional({ ifMatch }) });
    }
    case "duplicate": {
      const { name: entry, patch } = parse(schemas.duplicateInput, input, name);
      return write({ action: "duplicate", kind, name: entry, patch });
    }
    case "rollback": {
      const { name: entry, to, if_match: ifMatch } = parse(schemas.rollbackInput, input, name);
      return write({ action: "rollback", kind, name: entry, to, ...optional({ ifMatch }) });
    }
    case "delete": {
      const { name: entry, if_match: ifMatch } = parse(schemas.deleteInput, input, name);
      const result = await write({ action: "delete", kind, name: entry, ...optional({ ifMatch }) });
      return { ...result, output: { name: entry, deleted: true } };
    }
  }
}

const WriteEnvelope = v.objectWithRest(schemas.preconditions, v.unknown());

async function written(registry: Registry, change: Write, principal: Principal): Promise<BuiltinResult> {
  const { view, registryRevision, once } = await registry.write(change, principal);
  return {
    output: view === undefined ? null : { ...view, ...once },
    registryRevision,
    ...(view === undefined ? {} : { etag: view.meta.digest }),
  };
}

function parse<T extends v.GenericSchema>(schema: T, input: unknown, name: string): v.InferOutput<T> {
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  const { issues, ...hint } = issuesOf(result.issues, schema);
  const [first] = issues;
  throw new SwitchyardError(
    "input_invalid",
    `Cannot run "${name}": its input must fit its type; ${first.pointer || "it"}: ${first.detail}`,
    { errors: issues, ...hint },
  );
}

/** Leaves out what is undefined. */
function optional<T extends Json>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

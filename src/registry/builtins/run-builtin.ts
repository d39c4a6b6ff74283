/** Runs a function of the platform for a principal: the scope it demands, its input, then the registry or executions. */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { Kind } from "../../model/entities.ts";
import { allows, type Caller, type Principal } from "../../model/principal.ts";
import { AUDIT_FUNCTIONS } from "../audit/audit-functions.ts";
import { getEntity, listEntities, listRevisions } from "../read.ts";
import type { Registry } from "../registry.ts";
import type { Json } from "../schema.ts";
import type { Write } from "../write.ts";
import type { BuiltinResult, KindVerb } from "./builtin.ts";
import { chainInput } from "./chain-input.ts";
import { builtinOf } from "./definitions.ts";
import type { WiredPorts } from "./execution-functions.ts";
import { deliveryInput } from "./delivery-function.ts";
import { WIRED_FUNCTIONS } from "./wired-functions.ts";
import { optional, parseInput } from "./parse-input.ts";
import * as schemas from "./schemas.ts";

export async function runBuiltin(
  registry: Registry,
  name: string,
  ...[input, principal, ports, caller]: [unknown, Principal, WiredPorts?, Caller?]
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
  const { verb, kind } = builtin;
  if (verb === "wired") {
    const found = WIRED_FUNCTIONS.find((each) => each.name === name);
    if (ports === undefined || found === undefined) throw notWired(name);
    return { output: await found.run(name, { input, principal, ports, registry }) };
  }
  if (verb === "chain" || verb === "delivery") {
    // Whatever runs these takes them before they come here; a wrong input is still said first.
    parseInput(verb === "chain" ? chainInput : deliveryInput, input, name);
    throw notWired(name);
  }
  if (verb === "audit" || kind === undefined) {
    const found = AUDIT_FUNCTIONS.find((each) => each.name === name);
    if (found === undefined) throw notWired(name);
    return { output: await found.run(registry.database, input) };
  }
  return run(registry, { name, verb, kind, input, principal, caller });
}

function notWired(name: string): SwitchyardError {
  return new SwitchyardError(
    "not_supported",
    `Cannot run "${name}": this process must have access to executions and environments; it has none`,
  );
}

type Run = {
  name: string;
  verb: KindVerb;
  kind: Kind;
  input: unknown;
  principal: Principal;
  caller: Caller | undefined;
};

async function run(registry: Registry, { name, verb, kind, input, principal, caller }: Run): Promise<BuiltinResult> {
  const { database } = registry;
  const write = (change: Write) => written(registry, change, { principal, caller });
  switch (verb) {
    case "list": {
      const { limit, cursor, ...conditions } = parseInput(schemas.listInput(kind), input, name) as v.InferOutput<
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
      const view = await getEntity(database, kind, parseInput(schemas.getInput, input, name));
      return { output: view, etag: view.meta.digest };
    }
    case "revisions":
      return { output: await listRevisions(database, kind, parseInput(schemas.revisionsInput, input, name)) };
    case "create":
    case "put": {
      // The manifest itself is checked where every write is: its errors point into the definition.
      const { if_match: ifMatch, if_none_match: ifNoneMatch, ...manifest } = parseInput(WriteEnvelope, input, name);
      if (verb === "create") return write({ action: "create", kind, manifest });
      return write({ action: "put", kind, manifest, ...optional({ ifMatch, ifNoneMatch }) });
    }
    case "edit": {
      const { name: entry, patch, if_match: ifMatch } = parseInput(schemas.editInput, input, name);
      return write({ action: "edit", kind, name: entry, patch, ...optional({ ifMatch }) });
    }
    case "duplicate": {
      const { name: entry, patch } = parseInput(schemas.duplicateInput, input, name);
      return write({ action: "duplicate", kind, name: entry, patch });
    }
    case "rollback": {
      const { name: entry, to, if_match: ifMatch } = parseInput(schemas.rollbackInput, input, name);
      return write({ action: "rollback", kind, name: entry, to, ...optional({ ifMatch }) });
    }
    case "delete": {
      const { name: entry, if_match: ifMatch } = parseInput(schemas.deleteInput, input, name);
      const result = await write({ action: "delete", kind, name: entry, ...optional({ ifMatch }) });
      return { ...result, output: { name: entry, deleted: true } };
    }
  }
}

const WriteEnvelope = v.objectWithRest(schemas.preconditions, v.unknown());

type By = { principal: Principal; caller: Caller | undefined };

async function written(registry: Registry, change: Write, { principal, caller }: By): Promise<BuiltinResult> {
  const { view, registryRevision, once, warnings } = await registry.write(change, principal, caller);
  if (view === undefined) return { output: null, registryRevision };
  const meta = warnings.length === 0 ? view.meta : { ...view.meta, warnings };
  return { output: { ...view, ...once, meta }, registryRevision, etag: meta.digest };
}

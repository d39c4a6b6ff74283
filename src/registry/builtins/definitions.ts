/**
 * Every function of the platform. Those over the registry are derived from the table of kinds: a new kind has them all
 * without another line.
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { AUDIT_FUNCTIONS } from "../audit/audit-functions.ts";
import { KINDS, type CodeType, type Kind } from "../../model/entities.ts";
import { JsonObjectSchema } from "../../model/implementations.ts";
import type { Scope } from "../../model/scope.ts";
import type { Builtin, Verb } from "./builtin.ts";
import { CHAIN_FUNCTION, chainInput } from "./chain-input.ts";
import { DELIVERY_FUNCTION, deliveryInput, deliveryOutput } from "./delivery-function.ts";
import { WIRED_FUNCTIONS } from "./wired-functions.ts";
import * as schemas from "./schemas.ts";

type Row = {
  verb: Verb;
  name: string;
  description: string;
  input: () => v.GenericSchema;
  output: () => v.GenericSchema;
};

function rowsOf(kind: Kind): (Row & { writes: boolean })[] {
  const view = () => schemas.viewOutput(kind, false);
  const once = () => schemas.viewOutput(kind, true);
  const page = () => schemas.pageOutput(view());
  const write = () => schemas.writeInput(kind);
  return [
    {
      verb: "list",
      name: `list_${kind}`,
      writes: false,
      input: () => schemas.listInput(kind),
      output: page,
      description: `Lists ${KINDS[kind].plural}, filtered by any field.`,
    },
    {
      verb: "get",
      name: `get_${kind}`,
      writes: false,
      input: () => schemas.getInput,
      output: view,
      description: `One ${kind}, as it is now or as a revision had it.`,
    },
    {
      verb: "create",
      name: `create_${kind}`,
      writes: true,
      input: write,
      output: once,
      description: `Creates one ${kind}.`,
    },
    {
      verb: "put",
      name: `put_${kind}`,
      writes: true,
      input: write,
      output: once,
      description: `Creates one ${kind}, or replaces it.`,
    },
    {
      verb: "edit",
      name: `edit_${kind}`,
      writes: true,
      input: () => schemas.editInput,
      output: view,
      description: `Changes one ${kind} by a JSON merge patch.`,
    },
    {
      verb: "delete",
      name: `delete_${kind}`,
      writes: true,
      input: () => schemas.deleteInput,
      output: () => schemas.deletedOutput,
      description: `Deletes one ${kind} that nothing uses.`,
    },
    {
      verb: "duplicate",
      name: `duplicate_${kind}`,
      writes: true,
      input: () => schemas.duplicateInput,
      output: once,
      description: `Copies one ${kind} under another name.`,
    },
    {
      verb: "rollback",
      name: `rollback_${kind}`,
      writes: true,
      input: () => schemas.rollbackInput,
      output: view,
      description: `Brings back a revision of one ${kind}, as a new revision.`,
    },
    {
      verb: "revisions",
      name: `list_${kind}_revision`,
      writes: false,
      input: () => schemas.revisionsInput,
      output: page,
      description: `Lists the revisions of one ${kind}, newest first.`,
    },
  ];
}

function define({ verb, name, description, input, output }: Row, kind: Kind | undefined, scope: Scope): Builtin {
  let made: { input: CodeType; output: CodeType } | undefined;
  // Some sixty pairs of schemas would be a slow start for what is read only when a row is written.
  const types = () => (made ??= { input: jsonSchema(input(), "input"), output: jsonSchema(output(), "output") });
  return {
    name,
    verb,
    kind,
    description,
    scope,
    get input() {
      return types().input;
    },
    get output() {
      return types().output;
    },
  };
}

function jsonSchema(schema: v.GenericSchema, typeMode: "input" | "output"): CodeType {
  // What a pattern cannot say (a host is put into lower case before it is checked) is checked by the function itself.
  const { $schema: _draft, ...rest } = toJsonSchema(schema, {
    typeMode,
    errorMode: "ignore",
    target: "draft-2020-12",
    overrideSchema: ({ valibotSchema }) => (valibotSchema === JsonObjectSchema ? { type: "object" } : undefined),
  });
  return { schema: rest };
}

const CHAIN: Row = {
  verb: "chain",
  name: CHAIN_FUNCTION,
  description: "Runs operations one after another, each given the output of the one before, as one execution.",
  input: () => chainInput,
  output: () => v.unknown(),
};

const DELIVERY: Row = {
  verb: "delivery",
  name: DELIVERY_FUNCTION,
  description: "Tells a subscription of one event: signed to its URL, or as the input of its operation.",
  input: () => deliveryInput,
  output: () => deliveryOutput,
};

export const BUILTINS: Readonly<Record<string, Builtin>> = Object.fromEntries(
  [
    ...(Object.keys(KINDS) as Kind[]).flatMap((kind) =>
      rowsOf(kind).map((row) => define(row, kind, row.writes ? KINDS[kind].write : "registry:read")),
    ),
    ...AUDIT_FUNCTIONS.map((row) => define({ ...row, verb: "audit" }, undefined, row.scope)),
    define(CHAIN, undefined, "ops:invoke"),
    define(DELIVERY, undefined, "ops:invoke"),
    ...WIRED_FUNCTIONS.map((row) => define({ ...row, verb: "wired" }, undefined, row.scope)),
  ].map((builtin) => [builtin.name, builtin]),
);

export function builtinOf(name: string): Builtin | undefined {
  return Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
}

/** For `implemented_at: builtin:NAME` with types left to the code. */
export function builtinTypes(name: string): { input: CodeType; output: CodeType } | undefined {
  const builtin = builtinOf(name);
  return builtin === undefined ? undefined : { input: builtin.input, output: builtin.output };
}

/** The built-in functions over the change log. They need the database and nothing else. */
import * as v from "valibot";
import type { Scope } from "../../model/scope.ts";
import { parseInput } from "../builtins/parse-input.ts";
import * as schemas from "../builtins/schemas.ts";
import type { Database } from "../database.ts";
import { getChange, listChanges } from "./read-changes.ts";
import { verifyPage } from "./verify.ts";

export type AuditFunction = {
  name: string;
  description: string;
  /** Whoever may read the registry sees all that these tell. */
  scope: Scope;
  input: () => v.GenericSchema;
  output: () => v.GenericSchema;
  run(database: Database, input: unknown): Promise<unknown>;
};

const nullableText = v.nullable(v.string());
const verdict = v.strictObject({
  changes: v.number(),
  head: v.nullable(v.strictObject({ seq: v.number(), hash: v.string() })),
  broken: v.nullable(v.strictObject({ seq: v.nullable(v.number()), detail: v.string() })),
  next_cursor: nullableText,
});

export const AUDIT_FUNCTIONS: readonly AuditFunction[] = [
  {
    name: "list_change",
    description: "Lists the change log, newest first, by kind, name, author and time.",
    scope: "registry:read",
    input: () => schemas.changesInput,
    output: () => schemas.pageOutput(schemas.changeOutput),
    run: (database, input) => listChanges(database, parseInput(schemas.changesInput, input, "list_change")),
  },
  {
    name: "get_change",
    description: "One change: who, what, and the entry before and after it.",
    scope: "registry:read",
    input: () => schemas.changeInput,
    output: () => schemas.changedOutput,
    run: (database, input) => getChange(database, parseInput(schemas.changeInput, input, "get_change").seq),
  },
  {
    name: "verify_audit",
    description: "Holds a page of the registry against its change log, and says the first place that does not fit.",
    scope: "registry:read",
    input: () => schemas.verifyInput,
    output: () => verdict,
    run: (database, input) => verifyPage(database, parseInput(schemas.verifyInput, input, "verify_audit")),
  },
];

/** What a function of the platform is, and what it answers. */
import type { CodeType, Kind } from "../../model/entities.ts";
import type { Scope } from "../../model/scope.ts";

/** What can be done with a kind of entry. */
export type KindVerb = "list" | "get" | "create" | "edit" | "put" | "delete" | "duplicate" | "rollback" | "revisions";

/** `audit`: one of AUDIT_FUNCTIONS. `wired`: one of WIRED_FUNCTIONS. `chain`, `delivery`: see chain-input.ts, delivery-function.ts. */
export type Verb = KindVerb | "audit" | "wired" | "chain" | "delivery";

export type Builtin = {
  name: string;
  verb: Verb;
  /** undefined for the change log and for executions, which are no kind. */
  kind: Kind | undefined;
  description: string;
  /** What the principal must hold, whatever the operation's row is called. */
  scope: Scope;
  /** JSON Schema 2020-12. Made when first asked for. */
  readonly input: CodeType;
  readonly output: CodeType;
};

export type BuiltinResult = {
  output: unknown;
  /** The digest of the entry that was answered. */
  etag?: string;
  /** After a write: the registry revision at which it is visible. */
  registryRevision?: number;
};

/** What each kind must say about itself; everything else about a write is the same for all. */
import { SwitchyardError, type ErrorCode, type Issue } from "../../core/errors.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import type { CodeType, Kind, Manifest } from "../../model/entities.ts";
import type { AdapterDescription } from "../../model/environment.ts";
import type { Principal } from "../../model/principal.ts";
import type { Draft, Row, Use } from "../draft.ts";
import type { MasterKey } from "../seal.ts";
import type { Json } from "../schema.ts";

export type RegistryPorts = {
  /** The adapters that are wired, as they describe themselves. */
  adapters: readonly AdapterDescription[];
  readonly masterKey: Promise<MasterKey>;
  /** The types of a platform function; undefined when there is none of that name. */
  builtin(name: string): { input: CodeType; output: CodeType } | undefined;
};

export type WriteContext = {
  draft: Draft;
  principal: Principal;
  ports: RegistryPorts;
  /** The row that is replaced; undefined for a new name. */
  before: Row | undefined;
  /** The row whose stored decisions go on where the write does not touch them: `before`, or a duplicate's source. */
  basis: Row | undefined;
  /** Manifest fields that the write mentions; all of them for a create or a put. */
  touched: ReadonlySet<string>;
};

export type Settled = {
  manifest: Json;
  resolved: Json;
  uses: Use[];
  /** Said once, to whoever wrote it, and stored nowhere: a new token's text. */
  once?: Json;
  /** Said to whoever wrote it: it is stored as it is, and may not be what was meant. */
  warnings?: readonly Issue[];
};

export type KindRules<K extends Kind> = {
  /** Checks the manifest against the registry and closes it. Throws with pointers into the manifest. */
  settle(manifest: Manifest[K], context: WriteContext): Promise<Settled>;
  /** After the new row is staged: writes that follow from it. */
  follow?(row: Row, context: WriteContext): Promise<void>;
  /** Who may put a stored revision back, and what of it is never put back. */
  restore?(manifest: Manifest[K], resolved: Json, context: WriteContext): Promise<Settled>;
  remove?(row: Row, context: WriteContext): void;
};

export function refuse(code: ErrorCode, pointer: string, detail: string, hint?: string): SwitchyardError {
  const errors: Issue[] = [{ pointer, keyword: code, detail }];
  return new SwitchyardError(code, detail, { errors, ...(hint === undefined ? {} : { hint }) });
}

/** The row that a manifest names, or the refusal that says where. */
export async function named(draft: Draft, kind: Kind, name: string, pointer: string): Promise<Row> {
  const row = await draft.row(kind, name);
  if (row !== undefined) return row;
  throw refuse(
    "definition_invalid",
    pointer,
    `Cannot use the ${kind} "${name}": it must be registered; it is not`,
    kind === "secret" ? `opctl secret set ${name}` : `opctl get ${kind}s`,
  );
}

/** What opens a secret to one more group; its value stays. */
export function openTo(group: string, secret: string, groups: readonly string[]): string {
  return `opctl edit secret ${secret} -s 'groups=${JSON.stringify([...groups, group])}'`;
}

export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const near = didYouMean(name, candidates);
  return near === undefined ? undefined : `Did you mean "${near}"?`;
}

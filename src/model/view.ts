/** An entry as the registry answers it: the manifest, and under `meta` what the registry knows about it. */
import type { Issue } from "../core/errors.ts";
import type { Kind, Manifest } from "./entities.ts";

/** What names in an operation's row meant when its revision was written. */
export type OperationResolution = {
  /** Names of the types in force; null for an inline type without a name. */
  input_type: string | null;
  output_type: string | null;
  /** Hash of the module's code; null for a built-in. */
  code_sha256: string | null;
};

export type Meta = {
  revision: number;
  /** Over everything that decides behaviour. It is the ETag. SHA-256 in hex. */
  digest: string;
  created_at: string;
  updated_at: string;
  /** Who wrote this revision: a token's id, or `system`. */
  updated_by: string;
  /** Only operations. */
  resolved?: OperationResolution;
  /** Only tokens: when it was last used, to the minute; null if never. */
  last_used_at?: string | null;
  /** In the answer to a write: what is stored and may not be what was meant. */
  warnings?: readonly Issue[];
};

export type View<K extends Kind = Kind> = Manifest[K] & { meta: Meta };

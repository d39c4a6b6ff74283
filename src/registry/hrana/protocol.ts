/**
 * The messages of libSQL's own HTTP protocol (Hrana 2 and 3, JSON encoding), as far as a server reads and writes them.
 * Specification: https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md
 */

export type WireValue =
  | { type: "null" }
  | { type: "integer"; value: string }
  | { type: "float"; value: number }
  | { type: "text"; value: string }
  | { type: "blob"; base64: string };

/** A statement's text, or the number under which `store_sql` stored it. */
export type SqlRef = { sql?: string | null; sql_id?: number | null };

export type Statement = SqlRef & {
  args?: WireValue[];
  named_args?: { name: string; value: WireValue }[];
  want_rows?: boolean | null;
};

export type Condition =
  | { type: "ok"; step: number }
  | { type: "error"; step: number }
  | { type: "not"; cond: Condition }
  | { type: "and"; conds: Condition[] }
  | { type: "or"; conds: Condition[] }
  | { type: "is_autocommit" };

export type Batch = { steps: { condition?: Condition | null; stmt: Statement }[] };

export type StreamRequest =
  | { type: "close" }
  | { type: "execute"; stmt: Statement }
  | { type: "batch"; batch: Batch }
  | ({ type: "sequence" } & SqlRef)
  | ({ type: "describe" } & SqlRef)
  | { type: "store_sql"; sql_id: number; sql: string }
  | { type: "close_sql"; sql_id: number }
  | { type: "get_autocommit" };

export type PipelineRequest = { baton?: string | null; requests: StreamRequest[] };

export type StatementResult = {
  cols: { name: string | null; decltype: string | null }[];
  rows: WireValue[][];
  affected_row_count: number;
  last_insert_rowid: string | null;
};

export type BatchResult = { step_results: (StatementResult | null)[]; step_errors: (WireError | null)[] };

export type WireError = { message: string; code: string };

export type StreamResult =
  | { type: "ok"; response: { type: StreamRequest["type"]; [field: string]: unknown } }
  | { type: "error"; error: WireError };

export type PipelineResponse = { baton: string | null; base_url: null; results: StreamResult[] };

/** Thrown for what the client did wrong; SQLite's own errors come as LibsqlError. */
export class HranaError extends Error {
  override readonly name = "HranaError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function toWireError(thrown: unknown): WireError {
  if (!(thrown instanceof Error)) return { message: String(thrown), code: "UNKNOWN" };
  const { extendedCode, code } = thrown as { extendedCode?: unknown; code?: unknown };
  const name = typeof extendedCode === "string" ? extendedCode : typeof code === "string" ? code : "UNKNOWN";
  return { message: thrown.message, code: name };
}

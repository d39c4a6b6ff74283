/** SQL values ↔ their wire form. Integers stay exact: they travel as text and are bigint on either side. */
import type { InValue, ResultSet, Value } from "@libsql/client/web";
import { HranaError, type StatementResult, type WireValue } from "./protocol.ts";

export function fromWire(value: WireValue): InValue {
  switch (value.type) {
    case "null":
      return null;
    case "integer":
      return BigInt(value.value);
    case "float":
      return value.value;
    case "text":
      // The native binding ends a text at its first NUL, silently.
      if (value.value.includes("\0"))
        throw new HranaError("TEXT_WITH_NUL", "Cannot bind a text: it must not hold a NUL character");
      return value.value;
    case "blob":
      return fromBase64(value.base64);
  }
  throw new HranaError(
    "HRANA_PROTO_ERROR",
    `Cannot bind a value: its type must be one of Hrana's; it is ${JSON.stringify(value)}`,
  );
}

function toWire(value: Value): WireValue {
  if (value === null) return { type: "null" };
  if (typeof value === "bigint") return { type: "integer", value: value.toString() };
  if (typeof value === "number") return { type: "float", value };
  if (typeof value === "string") return { type: "text", value };
  return { type: "blob", base64: toBase64(new Uint8Array(value)) };
}

export function toStatementResult(result: ResultSet, wantRows: boolean): StatementResult {
  return {
    cols: result.columns.map((name, index) => ({ name, decltype: result.columnTypes[index] || null })),
    rows: wantRows ? result.rows.map((row) => result.columns.map((_, index) => toWire(row[index] ?? null))) : [],
    affected_row_count: result.rowsAffected,
    last_insert_rowid: result.lastInsertRowid?.toString() ?? null,
  };
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new HranaError("HRANA_PROTO_ERROR", "Cannot bind a blob: it must be base64");
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  // In pieces, because a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

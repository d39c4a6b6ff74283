/**
 * Filter conditions → SQL. Only fields of the manifest's own schema and of `meta` can be named, so no text of a caller
 * ever becomes SQL; values are always parameters.
 */
import { and, sql, type SQL } from "drizzle-orm";
import type { Kind } from "../model/entities.ts";
import { fieldsOf, META_FIELDS, type Condition } from "./builtins/schemas.ts";
import { OPERATION_DEFAULTS } from "./kinds/operation-settings.ts";
import { entities } from "./schema.ts";

type Scalar = string | number | boolean | null;

/** `conditions` has been checked against listInput(kind). */
export function filterBy(kind: Kind, conditions: Record<string, Condition>): SQL | undefined {
  const fields = fieldsOf(kind);
  return and(
    ...Object.entries(conditions).map(([field, condition]) => {
      const meta = META_FIELDS.find((name) => name === field);
      if (meta !== undefined) return compare(sql`${entities[meta]}`, condition);
      if (field === "name") return compare(sql`${entities.name}`, condition);
      const known = fields.find((name) => name === field);
      if (known === undefined) throw new Error(`not a field of ${kind}: ${field}`);
      const stored = sql`json_extract(${entities.manifest}, ${`$."${known}"`})`;
      const usual = kind === "operation" ? OPERATION_DEFAULTS[known] : undefined;
      // A row of an earlier version lacks the field, and reads as if it had the default.
      return compare(isPlain(usual) ? sql`coalesce(${stored}, ${toSql(usual)})` : stored, condition);
    }),
  );
}

function compare(field: SQL, condition: Condition): SQL {
  if (condition === null || typeof condition !== "object") return equals(field, condition);
  switch (condition.op) {
    case "$eq":
      return equals(field, condition.value);
    case "$ne":
      return sql`NOT (${equals(field, condition.value)})`;
    case "$in": {
      const values = condition.value;
      if (values.length === 0) return sql`FALSE`;
      return sql`(${sql.join(
        values.map((value) => equals(field, value)),
        sql` OR `,
      )})`;
    }
    case "$gt":
      return sql`${field} > ${toSql(condition.value)}`;
    case "$gte":
      return sql`${field} >= ${toSql(condition.value)}`;
    case "$lt":
      return sql`${field} < ${toSql(condition.value)}`;
    case "$lte":
      return sql`${field} <= ${toSql(condition.value)}`;
    case "$like":
      return sql`${field} LIKE ${String(condition.value)}`;
  }
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** IS also compares with null, and never answers null itself, so that NOT turns it round. */
function equals(field: SQL, value: Scalar): SQL {
  return value === null ? sql`${field} IS NULL` : sql`${field} IS ${toSql(value)}`;
}

/** json_extract answers true and false as 1 and 0. */
function toSql(value: Scalar): string | number | null {
  return typeof value === "boolean" ? Number(value) : value;
}

/** The inputs and outputs of the built-in functions, derived from the manifests' own schemas. */
import * as v from "valibot";
import { KINDS, type Kind } from "../../model/entities.ts";
import { JsonObjectSchema } from "../../model/implementations.ts";
import { NameSchema } from "../../model/names.ts";

export const LimitSchema = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 100);
/** A database of C strings takes no NUL, and would say so as if it were out of order. */
export const NO_NUL = v.regex<string, string>(/^[^\0]*$/, "must not hold a NUL character");
const CursorSchema = v.optional(v.pipe(v.string(), v.maxLength(200), NO_NUL));
/** A digest, or "*" for any that is there. What is neither matches nothing: that is a stale ETag and no malformed one. */
const DigestSchema = v.pipe(v.string(), v.maxLength(200));
const RevisionSchema = v.pipe(v.number(), v.integer(), v.minValue(1));

const ScalarSchema = v.union([v.pipe(v.string(), v.maxLength(1000), NO_NUL), v.number(), v.boolean(), v.null()]);

const SCALAR_OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$like"] as const;

/** `{op, value}`, or a bare value for `$eq`. */
const ConditionSchema = v.union([
  ScalarSchema,
  v.strictObject({ op: v.literal("$in"), value: v.pipe(v.array(ScalarSchema), v.maxLength(100)) }),
  v.strictObject({ op: v.picklist(SCALAR_OPERATORS), value: ScalarSchema }),
]);
export type Condition = v.InferOutput<typeof ConditionSchema>;

/** What can be filtered by beside the fields of the manifest. */
export const META_FIELDS = ["revision", "digest", "created_at", "updated_at", "updated_by"] as const;

function entriesOf(kind: Kind): v.ObjectEntries {
  return KINDS[kind].schema.entries;
}

export function fieldsOf(kind: Kind): string[] {
  // A secret's value is in no manifest, and must not be guessed by filtering either.
  return Object.keys(entriesOf(kind)).filter((field) => !(kind === "secret" && field === "value"));
}

export function listInput(kind: Kind) {
  const fields = [...fieldsOf(kind), ...META_FIELDS];
  return v.strictObject({
    ...Object.fromEntries(fields.map((field) => [field, v.optional(ConditionSchema)])),
    limit: LimitSchema,
    cursor: CursorSchema,
  });
}

export const getInput = v.strictObject({ name: NameSchema, revision: v.optional(RevisionSchema) });
export const editInput = v.strictObject({
  name: NameSchema,
  patch: JsonObjectSchema,
  if_match: v.optional(DigestSchema),
});
export const deleteInput = v.strictObject({ name: NameSchema, if_match: v.optional(DigestSchema) });
export const duplicateInput = v.strictObject({
  name: NameSchema,
  patch: v.objectWithRest({ name: NameSchema }, v.unknown()),
});
export const rollbackInput = v.strictObject({
  name: NameSchema,
  to: RevisionSchema,
  if_match: v.optional(DigestSchema),
});
export const revisionsInput = v.strictObject({ name: NameSchema, limit: LimitSchema, cursor: CursorSchema });
const TimeSchema = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.check((text) => !Number.isNaN(Date.parse(text)), "must be a time that exists, such as 2030-01-31T00:00:00Z"),
);
const WordSchema = v.optional(v.pipe(v.string(), v.maxLength(200), NO_NUL));
export const changesInput = v.strictObject({
  kind: WordSchema,
  name: WordSchema,
  author: WordSchema,
  since: v.optional(TimeSchema),
  until: v.optional(TimeSchema),
  limit: LimitSchema,
  cursor: CursorSchema,
});
export const verifyInput = v.strictObject({ limit: LimitSchema, cursor: CursorSchema });
export const changeInput = v.strictObject({ seq: RevisionSchema });

/** What create and put take beside the manifest. */
export const preconditions = { if_match: v.optional(DigestSchema), if_none_match: v.optional(v.literal("*")) };

export function writeInput(kind: Kind) {
  return v.strictObject({ ...entriesOf(kind), ...preconditions });
}

const nullableText = v.nullable(v.string());

const MetaSchema = v.strictObject({
  revision: v.number(),
  digest: v.string(),
  created_at: v.string(),
  updated_at: v.string(),
  updated_by: v.string(),
  resolved: v.optional(
    v.strictObject({ input_type: nullableText, output_type: nullableText, code_sha256: nullableText }),
  ),
  last_used_at: v.optional(nullableText),
  warnings: v.optional(v.array(v.strictObject({ pointer: v.string(), keyword: v.string(), detail: v.string() }))),
});

/** `once`: with the token's text, which is answered when it is made and never again. */
export function viewOutput(kind: Kind, once: boolean) {
  const entries: v.ObjectEntries = { meta: MetaSchema };
  for (const field of fieldsOf(kind)) {
    const entry = entriesOf(kind)[field];
    if (entry !== undefined) entries[field] = entry;
  }
  if (once && kind === "token") entries["token"] = v.optional(v.string());
  return v.strictObject(entries);
}

export function pageOutput(item: v.GenericSchema) {
  return v.strictObject({ items: v.array(item), next_cursor: nullableText });
}

export const deletedOutput = v.strictObject({ name: v.string(), deleted: v.literal(true) });

const change = {
  seq: v.number(),
  kind: v.string(),
  name: v.string(),
  action: v.string(),
  author: v.string(),
  author_name: nullableText,
  caller: nullableText,
  before: nullableText,
  after: nullableText,
  revision: v.nullable(v.number()),
  uses: nullableText,
  at: v.string(),
  hash: nullableText,
};
export const changeOutput = v.strictObject(change);
export const changedOutput = v.strictObject({
  ...change,
  entry_before: v.nullable(JsonObjectSchema),
  entry_after: v.nullable(JsonObjectSchema),
});

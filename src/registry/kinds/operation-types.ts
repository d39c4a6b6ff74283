/** The two types of an operation: written as a name, written in place, or left to the code. */
import * as v from "valibot";
import { TypeSchema, type CodeType, type Type, type TypeReference } from "../../model/entities.ts";
import { close, type Definition } from "../close.ts";
import type { Draft, Row, Use } from "../draft.ts";
import type { Json } from "../schema.ts";
import { checkExamples } from "./operation-examples.ts";
import { usesOf, type OperationResolved, type Side } from "./operation-resolved.ts";
import { checkResolvedSettings, withDefaults } from "./operation-settings.ts";
import { named } from "./rules.ts";
import { offerType, type TypeResolution } from "./type-row.ts";

/** `reference` is what the manifest keeps: a definition with a name becomes a type of that name. */
export async function settleSide(
  draft: Draft,
  reference: TypeReference,
  options: { code: CodeType; pointer: string },
): Promise<{ reference: TypeReference; side: Side }> {
  const { pointer, code } = options;
  if (reference === null) return { reference, side: await fromCode(draft, code, pointer) };
  if (typeof reference === "string") return { reference, side: await fromName(draft, reference, pointer) };
  const type = namedType(reference);
  if (type === undefined) return { reference, side: await inPlace(draft, reference, pointer) };
  await offerType(draft, type, pointer);
  return { reference: type.name, side: await fromName(draft, type.name, pointer) };
}

/** The same operation with its written types closed anew, and nothing else resolved again. */
export async function closeSides(draft: Draft, row: Row): Promise<{ manifest: Json; resolved: Json; uses: Use[] }> {
  const manifest = withDefaults(row.manifest);
  const resolved = { ...(row.resolved as OperationResolved) };
  for (const side of ["input", "output"] as const) {
    const reference = manifest[`${side}_type`];
    if (reference === null) continue;
    resolved[side] = (await settleSide(draft, reference, { code: resolved.code[side], pointer: `/${side}_type` })).side;
  }
  checkResolvedSettings(manifest, resolved);
  await checkExamples(manifest, resolved);
  return { manifest, resolved, uses: usesOf(manifest, resolved) };
}

async function fromName(draft: Draft, name: string, pointer: string): Promise<Side> {
  const row = await named(draft, "type", name, pointer);
  const { closed, names } = row.resolved as TypeResolution;
  return { name, closed, uses: [name, ...names].map((each) => ({ kind: "type", name: each, written: true })) };
}

async function fromCode(draft: Draft, code: CodeType, pointer: string): Promise<Side> {
  const { closed } = await close(draft, { schema: code.schema, assert_formats: true }, pointer);
  const uses: Use[] = code.name === undefined ? [] : [{ kind: "type", name: code.name, written: false }];
  return { name: code.name ?? null, closed, uses };
}

async function inPlace(draft: Draft, definition: Definition, pointer: string): Promise<Side> {
  const { closed, names } = await close(draft, definition, pointer);
  return { name: null, closed, uses: names.map((name) => ({ kind: "type", name, written: true })) };
}

/** A definition in place that has a name is a type of that name, written here for convenience. */
function namedType(reference: boolean | Json): Type | undefined {
  if (typeof reference === "boolean" || typeof reference["name"] !== "string") return undefined;
  // Anything else beside these members is a JSON Schema, in which `name` says nothing.
  const parsed = v.safeParse(TypeSchema, reference);
  return parsed.success ? parsed.output : undefined;
}

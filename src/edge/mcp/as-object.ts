/**
 * A closed type as MCP wants it: a schema whose top says `type: object`. What says something else goes under a member,
 * and what it refers to goes along, so that every reference still leads where it did. Pure; the type is not changed.
 */
import { subschemas } from "../../types/keywords.ts";

type Schema = Record<string, unknown>;
export type ObjectSchema = Schema & { type: "object" };

/** `wrapped`: values stand under the member, and are not objects themselves. */
export type AsObject = { schema: ObjectSchema; wrapped: boolean };

export function asObject(type: boolean | Schema, member: string): AsObject {
  if (isObjectType(type)) {
    const { properties } = type;
    // Clients refuse the whole list of tools for a property that is `true`, which JSON Schema allows.
    const plain = isRecord(properties)
      ? { properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, spelledOut(inner)])) }
      : {};
    return { schema: { ...type, ...plain, type: "object" }, wrapped: false };
  }
  return { schema: wrap(type, member), wrapped: true };
}

/** Whether values of the type are objects, by what its top says, or the one definition that it is. */
export function isObjectType(type: boolean | Schema): type is Schema {
  if (!isRecord(type)) return false;
  if (type["type"] !== undefined) return type["type"] === "object";
  const name = /^#\/\$defs\/([^/~%]+)$/.exec(String(type["$ref"]))?.[1];
  const defs = type["$defs"];
  const named = name !== undefined && isRecord(defs) ? defs[name] : undefined;
  return isRecord(named) && named["type"] === "object";
}

/**
 * Whether some clients, which hold outputs against it by an older draft, would read it otherwise: identifiers must not
 * come twice there, a list after a tuple is the whole list, and `contains` is never satisfied by nothing.
 */
export function isMisread(type: unknown): boolean {
  if (!isRecord(type)) return false;
  const has = (keyword: string): boolean => type[keyword] !== undefined;
  if (IDENTIFIERS.some(has) || has("minContains") || (has("prefixItems") && has("items"))) return true;
  for (const { schema } of subschemas(type)) if (isMisread(schema)) return true;
  return false;
}

const IDENTIFIERS = ["$id", "$anchor", "$dynamicAnchor", "$dynamicRef"];

function wrap(type: boolean | Schema, member: string): ObjectSchema {
  return place(type, `/properties/${member}`, (inner) => ({
    type: "object",
    properties: { [member]: inner },
    required: [member],
    additionalProperties: false,
  }));
}

/** The type at `pointer` of another schema, which `around` makes; definitions and dialect go to its top. */
export function place<S extends Schema>(type: boolean | Schema, pointer: string, around: (inner: unknown) => S): S {
  // A schema with an id is a resource of its own: its references start from itself wherever it stands.
  if (!isRecord(type) || type["$id"] !== undefined) return around(spelledOut(type));
  const { $schema, $defs, ...inner } = repoint(type, `#${pointer}`);
  return {
    ...($schema === undefined ? {} : { $schema }),
    ...($defs === undefined ? {} : { $defs }),
    ...around(inner),
  };
}

/** References from the top start from `base` instead, but for those to definitions, which stay at the top. */
function repoint(schema: Schema, base: string): Schema {
  const copy: Schema = { ...schema };
  const reference = schema["$ref"];
  if (typeof reference === "string" && /^#(?:$|\/(?!\$defs\/))/.test(reference)) {
    copy["$ref"] = base + reference.slice(1);
  }
  for (const { tokens, schema: inner } of subschemas(schema)) {
    if (!isRecord(inner) || inner["$id"] !== undefined) continue;
    const [keyword = "", place] = tokens;
    const changed = repoint(inner, base);
    const holder = copy[keyword];
    if (place === undefined) copy[keyword] = changed;
    else if (Array.isArray(holder)) copy[keyword] = holder.with(Number(place), changed);
    else copy[keyword] = { ...(holder as Schema), [place]: changed };
  }
  return copy;
}

function spelledOut(schema: unknown): unknown {
  if (schema === true) return {};
  return schema === false ? { not: {} } : schema;
}

function isRecord(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

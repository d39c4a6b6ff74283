/** JSON Schema draft-07, as the generator writes it → 2020-12, self-contained, with definitions named so that a pointer can hold them. */

type Schema = boolean | { [keyword: string]: unknown };

const SUBSCHEMA = ["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"];
const SUBSCHEMAS = ["allOf", "anyOf", "oneOf", "prefixItems"];
const NAMED_SUBSCHEMAS = ["$defs", "dependentSchemas", "patternProperties", "properties"];
const REFERENCE = "#/definitions/";

export function to2020(generated: Record<string, unknown>): Schema {
  const {
    definitions = {},
    $schema: _,
    ...root
  } = generated as { definitions?: Record<string, Schema>; $schema?: string };
  const names = safeNames(inOrderOfUse(root, definitions));
  const defs = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [names.get(name) ?? name, convert(schema, names)]),
  );
  let top = convert(root, names);
  // The alias that was asked for is only a reference; the type itself belongs at the top, unless it refers to itself.
  for (let name = onlyReference(top); name !== undefined; name = onlyReference(top)) {
    const target = defs[name];
    if (target === undefined || refersTo(name, defs)) break;
    top = target;
  }
  const needed = reachable(top, defs);
  if (typeof top === "boolean" || needed.length === 0) return top;
  return { ...top, $defs: Object.fromEntries(needed.toSorted().map((name) => [name, defs[name]])) };
}

/** Calls `visit` on every schema within one, with the JSON Pointer to it. */
export function walkSchema(schema: unknown, visit: (schema: Schema, pointer: string) => void, pointer = ""): void {
  if (typeof schema === "boolean") return visit(schema, pointer);
  if (schema === null || typeof schema !== "object" || Array.isArray(schema)) return;
  const node = schema as Record<string, unknown>;
  visit(node, pointer);
  for (const keyword of SUBSCHEMA) walkSchema(node[keyword], visit, `${pointer}/${keyword}`);
  for (const keyword of SUBSCHEMAS) {
    const list = node[keyword];
    if (Array.isArray(list)) list.forEach((item, index) => walkSchema(item, visit, `${pointer}/${keyword}/${index}`));
  }
  for (const keyword of NAMED_SUBSCHEMAS) {
    const map = node[keyword];
    if (map === null || typeof map !== "object") continue;
    for (const [name, item] of Object.entries(map)) {
      walkSchema(item, visit, `${pointer}/${keyword}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    }
  }
}

function convert(schema: unknown, names: ReadonlyMap<string, string>): Schema {
  if (typeof schema === "boolean") return schema;
  const { items, additionalItems, $ref, ...rest } = structuredClone(schema) as Record<string, unknown>;
  const converted: Record<string, unknown> = rest;
  if (typeof $ref === "string") {
    const name = $ref.slice(REFERENCE.length);
    converted["$ref"] = `#/$defs/${names.get(name) ?? name}`;
  }
  if (Array.isArray(items)) {
    converted["prefixItems"] = items;
    // Without it, 2020-12 would let anything follow the tuple.
    converted["items"] = additionalItems ?? false;
  } else if (items !== undefined) converted["items"] = items;

  for (const keyword of SUBSCHEMA) {
    if (converted[keyword] !== undefined) converted[keyword] = convert(converted[keyword], names);
  }
  for (const keyword of SUBSCHEMAS) {
    const list = converted[keyword];
    if (Array.isArray(list)) converted[keyword] = list.map((item) => convert(item, names));
  }
  for (const keyword of NAMED_SUBSCHEMAS) {
    const map = converted[keyword];
    if (map === null || typeof map !== "object") continue;
    converted[keyword] = Object.fromEntries(Object.entries(map).map(([name, item]) => [name, convert(item, names)]));
  }
  return converted;
}

/**
 * `Page<string>` → `Page_string`. The generator names what has no name by its position in the file; such names are
 * dropped and told apart by the order of use, so that the same types give the same schema wherever they are written.
 */
function safeNames(names: Iterable<string>): Map<string, string> {
  const taken = new Set<string>();
  const safe = new Map<string, string>();
  for (const name of names) {
    const spoken = name.replaceAll(/-[^<>,|&()"\s]*-\d+-\d+/g, "");
    const base = /\W/.test(spoken) ? spoken.replaceAll(/\W+/g, "_").replaceAll(/^_+|_+$/g, "") || "type" : spoken;
    let candidate = base;
    for (let n = 2; taken.has(candidate); n++) candidate = `${base}_${n}`;
    taken.add(candidate);
    safe.set(name, candidate);
  }
  return safe;
}

function inOrderOfUse(root: unknown, definitions: Readonly<Record<string, Schema>>): Set<string> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (key === "$ref" && typeof member === "string") found.add(member.slice(REFERENCE.length));
      else visit(member);
    }
  };
  visit(root);
  for (const name of found) visit(definitions[name]);
  return found;
}

function onlyReference(schema: Schema): string | undefined {
  if (typeof schema === "boolean" || Object.keys(schema).length !== 1) return undefined;
  return typeof schema["$ref"] === "string" ? schema["$ref"].slice("#/$defs/".length) : undefined;
}

function references(schema: Schema): string[] {
  const found: string[] = [];
  walkSchema(schema, (node) => {
    if (typeof node !== "boolean" && typeof node["$ref"] === "string")
      found.push(node["$ref"].slice("#/$defs/".length));
  });
  return found;
}

function reachable(schema: Schema, defs: Record<string, Schema>): string[] {
  const found = new Set(references(schema));
  for (const name of found) for (const next of references(defs[name] ?? true)) found.add(next);
  return [...found];
}

function refersTo(name: string, defs: Record<string, Schema>): boolean {
  return reachable(defs[name] ?? true, defs).includes(name);
}

/**
 * Schemas of an OpenAPI document → one self-contained JSON Schema 2020-12, what the registry's types are. Everything that a
 * reference leads to becomes a `$defs` of the type. Keywords that only OpenAPI knows are said in JSON Schema's words, or left out
 * where they decide nothing.
 */
import { ASSERT_FORMATS, ASSERTIONS, SUBSCHEMAS } from "../../src/types/keywords.ts";
import { pointerTokens } from "../../src/types/index.ts";
import { isObject, membersOf, Obstacle, type Json } from "./_obstacle.ts";
import type { Documents } from "./documents.ts";

export type Schema = boolean | Json;

/** Say something about a value and decide nothing. */
const ANNOTATIONS = new Set(["$comment", "default", "deprecated", "description", "examples", "title"]);
const IDENTIFIERS = ["$id", "$anchor", "$dynamicAnchor", "$dynamicRef"];
const DIALECTS =
  /^https:\/\/(?:json-schema\.org\/draft\/2020-12\/schema#?|spec\.openapis\.org\/oas\/3\.1\/dialect\/.+)$/;

/** Of one type: `side` decides who reads it. What is read only is not sent, what is write only does not come back. */
export class TypeBuilder {
  readonly #documents: Documents;
  readonly #side: "input" | "output";
  readonly #names = new Map<string, string>();
  readonly #defs = new Map<string, Schema>();

  constructor(documents: Documents, side: "input" | "output") {
    this.#documents = documents;
    this.#side = side;
  }

  /** A part of the type; its references lead to `#/$defs/…`, so it is read with close(). Throws Obstacle. */
  part(schema: unknown, file: string): Schema {
    if (typeof schema === "boolean") return schema;
    if (!isObject(schema)) throw new Obstacle(`a schema must be an object; one is ${JSON.stringify(schema)}`);
    for (const keyword of IDENTIFIERS) {
      if (schema[keyword] !== undefined) throw new Obstacle(`a schema must have no ${keyword}; one has`);
    }
    if (typeof schema["$schema"] === "string" && !DIALECTS.test(schema["$schema"])) {
      throw new Obstacle(`a schema must be of JSON Schema 2020-12; one is of ${schema["$schema"]}`);
    }
    const { $ref, ...others } = schema;
    if (typeof $ref === "string") {
      const reference = { $ref: `#/$defs/${this.#define($ref, file)}` };
      // OpenAPI 3.0 lets nothing count beside a reference.
      return this.#is30 ? reference : { ...reference, ...this.#keywords(others, file) };
    }
    const { nullable, ...rest } = this.#is30 ? without30(others) : others;
    const converted = this.#keywords(rest, file);
    return this.#is30 && nullable === true ? orNull(converted) : converted;
  }

  /** What a part is when its own references are followed. */
  follow(schema: Schema): Schema {
    let followed = schema;
    for (let hop = 0; hop < 32; hop++) {
      const name = onlyReference(followed);
      if (name === undefined) break;
      followed = this.#defs.get(name) ?? true;
    }
    return followed;
  }

  /** The whole type, with all that it refers to. */
  close(schema: Schema): Schema {
    const top = this.follow(schema);
    const needed = new Set<string>(referencesIn(top));
    for (const name of needed) for (const next of referencesIn(this.#defs.get(name))) needed.add(next);
    if (needed.size === 0 || typeof top === "boolean") return top;
    const defs = [...needed].toSorted().map((name) => [name, this.#defs.get(name) ?? true] as const);
    return { ...top, $defs: Object.fromEntries(defs) };
  }

  get #is30(): boolean {
    return this.#documents.version === "3.0";
  }

  #define(reference: string, from: string): string {
    const { value, file, pointer } = this.#documents.lookUp(reference, from);
    const key = `${file}#${pointer}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const spoken = (pointerTokens(pointer).at(-1) ?? "").replaceAll(/\W+/g, "_") || "root";
    const taken = new Set(this.#names.values());
    let name = spoken;
    for (let n = 2; taken.has(name); n++) name = `${spoken}_${n}`;
    // Before what is in it: it may refer to itself.
    this.#names.set(key, name);
    this.#defs.set(name, this.part(value, file));
    return name;
  }

  #keywords(schema: Json, file: string): Json {
    const converted: Json = {};
    for (const [keyword, value] of Object.entries(schema)) {
      const how = Object.hasOwn(SUBSCHEMAS, keyword) ? SUBSCHEMAS[keyword] : undefined;
      if (how === "one") converted[keyword] = this.part(value, file);
      else if (how === "list" && Array.isArray(value)) converted[keyword] = value.map((item) => this.part(item, file));
      else if (how === "map" && isObject(value)) {
        const inner = Object.entries(value).map(([name, item]) => [name, this.part(item, file)] as const);
        converted[keyword] = Object.fromEntries(inner);
      } else if (ASSERTIONS.has(keyword) || ANNOTATIONS.has(keyword) || keyword === ASSERT_FORMATS) {
        converted[keyword] = value;
      }
    }
    // Reached by what refers to them; in their old place nothing would.
    delete converted["$defs"];
    delete converted["definitions"];
    if (converted["examples"] === undefined && schema["example"] !== undefined)
      converted["examples"] = [schema["example"]];
    if (!Array.isArray(converted["examples"])) delete converted["examples"];
    // A default of an answer would be put where the service has said nothing.
    if (this.#side === "output") delete converted["default"];
    return this.#oneSided(converted, schema, file);
  }

  /** Without the properties of the other side. */
  #oneSided(converted: Json, schema: Json, file: string): Json {
    const mark = this.#side === "input" ? "readOnly" : "writeOnly";
    const others = membersOf(schema["properties"]).flatMap(([name, property]) =>
      isMarked(property, mark) || isMarked(this.#documents.settle(property, file).value, mark) ? [name] : [],
    );
    if (others.length === 0) return converted;
    const properties = { ...(converted["properties"] as Json) };
    for (const name of others) delete properties[name];
    const { required, ...rest } = converted;
    const still = Array.isArray(required) ? required.filter((name) => !others.includes(name as string)) : [];
    return { ...rest, properties, ...(still.length === 0 ? {} : { required: still }) };
  }
}

function isMarked(schema: unknown, mark: string): boolean {
  return isObject(schema) && schema[mark] === true;
}

/** OpenAPI 3.0 has bounds that are excluded by a flag. */
function without30(schema: Json): Json {
  const converted = { ...schema };
  for (const [flag, bound] of [
    ["exclusiveMinimum", "minimum"],
    ["exclusiveMaximum", "maximum"],
  ] as const) {
    const excluded = converted[flag];
    if (typeof excluded !== "boolean") continue;
    delete converted[flag];
    if (!excluded || typeof converted[bound] !== "number") continue;
    converted[flag] = converted[bound];
    delete converted[bound];
  }
  return converted;
}

function orNull(schema: Json): Json {
  const { type, enum: values } = schema;
  if (typeof type !== "string") return { anyOf: [schema, { type: "null" }] };
  const listed = Array.isArray(values) && !values.includes(null) ? { enum: [...(values as unknown[]), null] } : {};
  return { ...schema, type: [type, "null"], ...listed };
}

const DEFS = "#/$defs/";

function onlyReference(schema: Schema): string | undefined {
  if (typeof schema === "boolean" || typeof schema["$ref"] !== "string" || Object.keys(schema).length > 1)
    return undefined;
  return schema["$ref"].slice(DEFS.length);
}

function* referencesIn(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === "$ref" && typeof member === "string" && member.startsWith(DEFS)) yield member.slice(DEFS.length);
    else yield* referencesIn(member);
  }
}

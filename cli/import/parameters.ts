/**
 * Parameters of an OpenAPI operation → fields of an input and the places that a request has them in. A query's fields have the
 * names that the service reads; those of path and headers may be named anew where two would be one.
 */
import { isOwnHeader } from "../../src/model/request-headers.ts";
import { isObject, membersOf, Obstacle, type Json } from "./_obstacle.ts";
import type { Documents } from "./documents.ts";
import { plainObject } from "./plain-object.ts";
import type { Schema, TypeBuilder } from "./type-builder.ts";

export type Parameter = {
  place: "path" | "query" | "header";
  /** As the service knows it. */
  name: string;
  required: boolean;
  schema: Schema;
  /** An example for each name that one has; "" for the only one. */
  examples: ReadonlyMap<string, unknown>;
};

export type Parameters = {
  list: Parameter[];
  /** Set where the query may have more than those: what more. */
  moreQuery: Schema | undefined;
};

type Raw = { value: Json; file: string };
export type Reading = { documents: Documents; types: TypeBuilder; note: (what: string) => void };

const HEADER = /^[A-Za-z][A-Za-z0-9-]{0,127}$/;

/** Those of the path item, and over them those of the operation. Throws Obstacle where one is required and cannot be carried. */
export function readParameters(lists: readonly { value: unknown; file: string }[], reading: Reading): Parameters {
  const found = new Map<string, Raw>();
  for (const { value, file } of lists) {
    for (const each of Array.isArray(value) ? (value as unknown[]) : []) {
      const parameter = reading.documents.settle(each, file);
      if (!isObject(parameter.value)) throw new Obstacle("a parameter must be an object");
      const { in: place, name } = parameter.value;
      found.set(`${String(place)} ${String(name)}`, { value: parameter.value, file: parameter.file });
    }
  }
  const parameters: Parameters = { list: [], moreQuery: undefined };
  for (const raw of found.values()) {
    try {
      const read = readOne(raw, reading);
      parameters.list.push(...read.list);
      parameters.moreQuery ??= read.moreQuery;
    } catch (error) {
      if (!(error instanceof Obstacle) || raw.value["required"] === true) throw error;
      reading.note(`left out: ${error.message}`);
    }
  }
  return parameters;
}

function readOne({ value, file }: Raw, reading: Reading): Parameters {
  const { name, in: place } = value;
  if (typeof name !== "string" || name === "" || typeof place !== "string") {
    throw new Obstacle("a parameter must have a name and a place");
  }
  const what = `the ${place} parameter "${name}"`;
  if (place === "cookie") throw new Obstacle(`${what} is a cookie, and no request has one`);
  if (place !== "path" && place !== "query" && place !== "header")
    throw new Obstacle(`${what} has no place in a request`);
  if (place === "header" && !HEADER.test(name)) throw new Obstacle(`${what} has a name that no header may have here`);
  // By OpenAPI's own rule a parameter of that name is ignored; what is accepted is what can be read.
  if (place === "header" && (isOwnHeader(name) || name.toLowerCase() === "accept")) {
    reading.note(`left out: ${what}, which the platform sets itself`);
    return { list: [], moreQuery: undefined };
  }
  const required = place === "path" || value["required"] === true;
  const { schema, type } = schemaOf({ value, file }, what, reading);
  const parameter: Parameter = {
    place,
    name,
    required,
    schema: described(schema, value["description"]),
    examples: examplesOf(value, type),
  };
  const style = styleOf(value, place);
  if (value["content"] !== undefined || place === "header") return one(parameter);
  if (place === "path") {
    if (style !== "simple" || type === "object") throw new Obstacle(`${what} is written as ${style} of ${type}`);
    return one(parameter);
  }
  const isExploded = value["explode"] ?? style === "form";
  if (style === "deepObject" || (type === "object" && style === "form" && isExploded === true)) {
    return spread(parameter, style, { what, reading });
  }
  if (type === "object") throw new Obstacle(`${what} is an object written as ${style}`);
  if (type !== "array" || isExploded === true) return one(parameter);
  const between = { spaceDelimited: "spaces", pipeDelimited: "|" }[style] ?? "commas";
  reading.note(`${what} is a text here, with ${between} between its items`);
  return one({ ...parameter, schema: described({ type: "string" }, `${between} between items`), examples: new Map() });
}

function one(parameter: Parameter): Parameters {
  return { list: [parameter], moreQuery: undefined };
}

/** Parts of an object, each a parameter of its own: `a=1`, or as deepObject `filter[a]=1`. */
function spread(
  parameter: Parameter,
  style: string,
  { what, reading }: { what: string; reading: Reading },
): Parameters {
  const plain = plainObject(parameter.schema, reading.types);
  if (plain === undefined) throw new Obstacle(`${what} is more than a list of members`);
  const list = Object.entries(plain.properties).map(([name, schema]): Parameter => ({
    place: "query",
    name: style === "deepObject" ? `${parameter.name}[${name}]` : name,
    required: parameter.required && plain.required.includes(name),
    schema,
    examples: new Map(),
  }));
  if (style === "deepObject") {
    if (list.length === 0) throw new Obstacle(`${what} does not say what it has`);
    return { list, moreQuery: undefined };
  }
  return { list, moreQuery: plain.rest ?? true };
}

function styleOf(value: Json, place: string): string {
  return typeof value["style"] === "string" ? value["style"] : place === "query" ? "form" : "simple";
}

type Typed = { schema: Schema; type: string };

function schemaOf({ value, file }: Raw, what: string, { types }: Reading): Typed {
  const content = membersOf(value["content"])[0];
  if (content === undefined) {
    const schema = value["schema"] === undefined ? true : types.part(value["schema"], file);
    return { schema, type: typeOf(schema, types) };
  }
  const [media, described] = content;
  const schema =
    isObject(described) && described["schema"] !== undefined ? types.part(described["schema"], file) : true;
  const type = typeOf(schema, types);
  // An object is written as JSON; a text would need quotes around it, and a list would be many parameters.
  if (value["in"] === "query" && media === "application/json" && type === "object") return { schema, type };
  throw new Obstacle(`${what} is written as ${media} of ${type}`);
}

function typeOf(schema: Schema, types: TypeBuilder): string {
  const followed = types.follow(schema);
  if (!isObject(followed)) return "anything";
  const { type } = followed;
  const named = Array.isArray(type) ? type.find((each) => each !== "null") : type;
  return typeof named === "string" ? named : followed["properties"] === undefined ? "anything" : "object";
}

/** The parameter's own words are nearer than those of a type that many have. */
function described(schema: Schema, description: unknown): Schema {
  if (typeof description !== "string" || description === "" || schema === false) return schema;
  return schema === true ? { description } : { ...schema, description };
}

function examplesOf(value: Json, type: string): ReadonlyMap<string, unknown> {
  const named = membersOf(value["examples"]).flatMap(([name, example]) =>
    isObject(example) && Object.hasOwn(example, "value") ? [[name, example["value"]] as const] : [],
  );
  if (value["example"] !== undefined) named.push(["", value["example"]]);
  const { schema } = value;
  if (named.length === 0 && type !== "anything" && isObject(schema) && schema["example"] !== undefined) {
    named.push(["", schema["example"]]);
  }
  return new Map(named);
}

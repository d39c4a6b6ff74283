/**
 * The call at an operation's own path: which members of its input stand in the path, in the query and in the body. Where
 * the input type is no plain list of members, what cannot be told apart is said to be an object.
 */
import { parametersOf, restPathOf, takesBody } from "../../model/rest-path.ts";
import type { ClosedOperation } from "../../registry/describe.ts";
import { follow, propertyOf, type ClosedType } from "../../types/index.ts";
import type { Json, PlacedType } from "./schemas.ts";

type Members = { properties: Record<string, ClosedType>; required: readonly string[]; rest: ClosedType | undefined };

export function pathItem(
  operation: ClosedOperation,
  input: PlacedType,
): { method: string; path: string; item: Json } | undefined {
  if (operation.path === null) return undefined;
  const path = restPathOf(operation.path);
  const inPath = parametersOf(path);
  const type = JSON.parse(operation.input) as ClosedType;
  const members = membersOf(type);
  const example = operation.examples.map((each) => each.input).find(isObject);
  const parameter = (name: string, place: "path" | "query", schema: ClosedType): Json => {
    const { description } = typeof schema === "object" ? schema : {};
    const shown = input.part(schema);
    const given = example !== undefined && Object.hasOwn(example, name) ? { example: example[name] } : {};
    return {
      name,
      in: place,
      ...(place === "path" || members?.required.includes(name) === true ? { required: true } : {}),
      ...(typeof description === "string" ? { description } : {}),
      ...(typeof schema === "object" && schema["type"] === "object"
        ? { content: { "application/json": { schema: shown, ...given } } }
        : { schema: shown, ...given }),
    };
  };
  const parameters = inPath.map((name) => parameter(name, "path", propertyOf(type, name) ?? true));
  const others = Object.entries(members?.properties ?? {}).filter(([name]) => !inPath.includes(name));
  const item: Json = {};
  if (!takesBody(path.method)) {
    if (members === undefined) parameters.push(REST_OF_QUERY);
    else parameters.push(...others.map(([name, schema]) => parameter(name, "query", schema)));
  } else if (members === undefined || inPath.length === 0) {
    const schema = inPath.length === 0 ? (JSON.parse(input.text) as ClosedType) : REST_OF_BODY;
    item["requestBody"] = { required: true, content: { "application/json": { schema } } };
  } else if (others.length > 0 || members.rest !== false) {
    const required = members.required.filter((name) => !inPath.includes(name));
    const schema = {
      type: "object",
      properties: Object.fromEntries(others.map(([name, each]) => [name, input.part(each)])),
      ...(required.length === 0 ? {} : { required }),
      ...(members.rest === undefined
        ? {}
        : { additionalProperties: typeof members.rest === "boolean" ? members.rest : input.part(members.rest) }),
    };
    item["requestBody"] = { required: required.length > 0, content: { "application/json": { schema } } };
  }
  const [, text = ""] = operation.path.split(" ");
  return { method: path.method.toLowerCase(), path: text, item: { parameters, ...item } };
}

const REST_OF_BODY = { type: "object", description: "The other members of the input; see the call by name" };
const REST_OF_QUERY = {
  name: "input",
  in: "query",
  description: "The other members of the input, each a parameter; see the call by name",
  style: "form",
  explode: true,
  schema: { type: "object" },
};

/** Keywords that leave a type a plain list of members. */
const PLAIN = new Set([
  "$defs",
  "$schema",
  "additionalProperties",
  "description",
  "examples",
  "properties",
  "required",
  "title",
  "type",
  "x-assert-formats",
]);

function membersOf(type: ClosedType): Members | undefined {
  let schema: unknown = type;
  if (isObject(type) && typeof type["$ref"] === "string") schema = follow(type, type["$ref"]);
  if (!isObject(schema) || schema["type"] !== "object") return undefined;
  if (Object.keys(schema).some((keyword) => !PLAIN.has(keyword))) return undefined;
  const { properties = {}, required = [], additionalProperties } = schema;
  return {
    properties: properties as Members["properties"],
    required: required as string[],
    rest: additionalProperties as ClosedType | undefined,
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

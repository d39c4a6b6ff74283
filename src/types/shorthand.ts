/**
 * The shorthand `attributes: {x: {data_type: …}}` → JSON Schema. An attribute is required unless it has a default or
 * says `required: false`. An object of such a type takes no other properties, so a mistyped one in a call is caught.
 */
import { didYouMean } from "../core/did-you-mean.ts";
import type { Issue } from "../core/errors.ts";
import { toPointer } from "../core/json.ts";
import { NAME_PATTERN } from "../model/names.ts";

type Schema = Record<string, unknown>;

const BASE: Record<string, Schema> = {
  string: { type: "string" },
  int: { type: "integer" },
  float: { type: "number" },
  bool: { type: "boolean" },
  datetime: { type: "string", format: "date-time" },
  list: { type: "array" },
  map: { type: "object" },
  any: {},
};

/** Members that become keywords, by the kind of value they apply to. */
const BOUNDS: Record<string, Record<string, string>> = {
  string: { min_length: "minLength", max_length: "maxLength", pattern: "pattern" },
  int: { minimum: "minimum", maximum: "maximum" },
  float: { minimum: "minimum", maximum: "maximum" },
  list: { min_length: "minItems", max_length: "maxItems" },
  map: { min_length: "minProperties", max_length: "maxProperties" },
};

const COMMON = ["data_type", "required", "default", "description", "nullable", "enum"];
const MEMBERS = [...COMMON, "minimum", "maximum", "min_length", "max_length", "pattern", "items", "values"];

/** Collects what is wrong into `issues`; the schema is of use only if there is nothing. */
export function expandAttributes(attributes: unknown, issues: Issue[]): Schema {
  if (!isObject(attributes)) {
    issues.push({ pointer: "/attributes", keyword: "type", detail: "must be an object of attributes by name" });
    return {};
  }
  const properties: Schema = {};
  const required: string[] = [];
  for (const [name, attribute] of Object.entries(attributes)) {
    const tokens = ["attributes", name];
    if (name === "__proto__") {
      issues.push({ pointer: toPointer(tokens), keyword: "propertyNames", detail: 'must not be named "__proto__"' });
      continue;
    }
    properties[name] = expandAttribute(attribute, tokens, issues);
    // The shortest form, a bare data type, has no place for a default.
    if (!isObject(attribute) || (attribute["required"] ?? !Object.hasOwn(attribute, "default")) === true) {
      required.push(name);
    }
  }
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false };
}

function expandAttribute(attribute: unknown, tokens: string[], issues: Issue[]): Schema {
  const refuse = (keyword: string, detail: string, ...inner: string[]): void => {
    issues.push({ pointer: toPointer([...tokens, ...inner]), keyword, detail });
  };
  if (typeof attribute === "string") return expandAttribute({ data_type: attribute }, tokens, issues);
  if (!isObject(attribute)) {
    refuse("type", 'must be an object such as {"data_type": "string"}');
    return {};
  }
  const dataType = attribute["data_type"];
  if (typeof dataType !== "string") {
    refuse("required", `must have data_type: one of ${Object.keys(BASE).join(", ")}, or a type's name`);
    return {};
  }
  const base = BASE[dataType];
  if (base === undefined && !NAME_PATTERN.test(dataType)) {
    const near = didYouMean(dataType, Object.keys(BASE));
    refuse(
      "enum",
      `must be one of ${Object.keys(BASE).join(", ")}, or a type's name; it is "${dataType}"${near === undefined ? "" : `, did you mean "${near}"?`}`,
      "data_type",
    );
    return {};
  }
  let schema: Schema = base === undefined ? { $ref: `type:${dataType}` } : { ...base };
  const bounds = BOUNDS[dataType] ?? {};
  for (const member of Object.keys(attribute)) {
    if (!MEMBERS.includes(member)) {
      const near = didYouMean(member, MEMBERS);
      refuse(
        "additionalProperties",
        `is not a member of an attribute${near === undefined ? `; those are ${MEMBERS.join(", ")}` : `; did you mean "${near}"?`}`,
        member,
      );
    } else if (member === "items" ? dataType !== "list" : member === "values" && dataType !== "map") {
      refuse("dependentSchemas", `does not apply to data_type "${dataType}"`, member);
    } else if (member === "items" || member === "values") {
      const keyword = member === "items" ? "items" : "additionalProperties";
      schema[keyword] = expandAttribute(attribute[member], [...tokens, member], issues);
    } else if (!COMMON.includes(member)) {
      const keyword = bounds[member];
      if (keyword === undefined) refuse("dependentSchemas", `does not apply to data_type "${dataType}"`, member);
      else schema[keyword] = attribute[member];
    }
  }
  for (const member of ["required", "nullable"]) {
    const value = attribute[member];
    if (value !== undefined && typeof value !== "boolean") refuse("type", "must be true or false", member);
  }
  if (attribute["enum"] !== undefined) schema["enum"] = attribute["enum"];
  if (attribute["nullable"] === true) schema = nullable(schema);
  if (attribute["description"] !== undefined) schema["description"] = attribute["description"];
  if (Object.hasOwn(attribute, "default")) schema["default"] = attribute["default"];
  return schema;
}

function nullable(schema: Schema): Schema {
  if (schema["$ref"] !== undefined) return { anyOf: [schema, { type: "null" }] };
  const members = schema["enum"];
  return {
    ...schema,
    ...(schema["type"] === undefined ? {} : { type: [schema["type"], "null"] }),
    ...(Array.isArray(members) && !members.includes(null) ? { enum: [...members, null] } : {}),
  };
}

/** Keywords of the expanded schema → members of the attribute, for saying a pointer in the user's own words. */
const WORDS: Record<string, string> = {
  minLength: "min_length",
  maxLength: "max_length",
  minItems: "min_length",
  maxItems: "max_length",
  minProperties: "min_length",
  maxProperties: "max_length",
  additionalProperties: "values",
};

/** A pointer into the expanded schema → one into the definition. Pointers into a default keep their inner part. */
export function toAttributePointer(pointer: string): string {
  const [root, properties, name, ...rest] = pointer.split("/");
  if (root !== "" || properties !== "properties" || name === undefined) return pointer;
  const tokens: string[] = [];
  for (let at = 0; at < rest.length; at++) {
    const token = rest[at] as string;
    if (token === "anyOf") {
      at++;
      continue;
    }
    if (token === "$ref") tokens.push("data_type");
    else tokens.push(WORDS[token] ?? token);
    if (token === "default" || token === "enum") {
      tokens.push(...rest.slice(at + 1));
      break;
    }
  }
  return ["", "attributes", name, ...tokens].join("/");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

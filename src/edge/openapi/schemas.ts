/**
 * A stored type inside an OpenAPI document. There a reference by pointer means the document, so a type with references
 * becomes a component and its pointers lead into that. One whose references are more than pointers cannot be moved: it is
 * there as a text, which no tool takes for a part of the document.
 */
import { hasIdentifiers, subschemas, type ClosedType } from "../../types/index.ts";

export type Json = Record<string, unknown>;

export type PlacedType = {
  /** JSON text of the type, or of a reference to the component. */
  text: string;
  component: string | undefined;
  /** A part of the type, as it reads outside of it. */
  part(schema: ClosedType): ClosedType;
};

/** `text`: a closed type, as JSON. */
export function placeType(text: string, operation: string, side: "input" | "output"): PlacedType {
  // Quicker than a walk, and each errs on the side of one.
  const refers = /"\$(?:ref|dynamicRef|id|anchor|dynamicAnchor)"/.test(text);
  if (!refers && !BOOLEAN.test(text)) return { text, component: undefined, part: (schema) => schema };
  const type = JSON.parse(text) as ClosedType;
  if (hasIdentifiers(type)) {
    const description = `Its type has identifiers of its own; GET /ops/${operation} answers it.`;
    return { text: JSON.stringify({ description, "x-schema": text }), component: undefined, part: () => ({}) };
  }
  const place = `${operation}.${side}`;
  const part = (schema: ClosedType): ClosedType => moved(schema, `#/components/schemas/${place}`);
  const within = JSON.stringify(part(type));
  if (!refers) return { text: within, component: undefined, part };
  return { text: `{"$ref":"#/components/schemas/${place}"}`, component: `"${place}":${within}`, part };
}

/** A type that is a boolean, or a boolean in it that may be a schema, but for the one that most types have. */
const BOOLEAN = /^(?:true|false)$|(?<!"additionalProperties"):(?:true|false)|[[,](?:true|false)/;

/** Where a boolean is no more than OpenAPI 3.0 knew; elsewhere some tools take objects only. */
const MAY_BE_BOOLEAN = new Set(["additionalProperties", "unevaluatedItems", "unevaluatedProperties"]);

function moved(schema: ClosedType, base: string): ClosedType {
  if (typeof schema === "boolean") return schema ? {} : { not: {} };
  const copy: Json = {};
  for (const [keyword, value] of Object.entries(schema)) {
    copy[keyword] =
      keyword === "$ref" && typeof value === "string" && value.startsWith("#") ? base + value.slice(1) : value;
  }
  for (const { keyword, tokens, schema: inner } of subschemas(schema)) {
    if (typeof inner !== "boolean" && (typeof inner !== "object" || inner === null)) continue;
    if (typeof inner === "boolean" && MAY_BE_BOOLEAN.has(keyword)) continue;
    const place = tokens[1];
    const within = moved(inner as ClosedType, base);
    if (place === undefined) copy[keyword] = within;
    else if (Array.isArray(schema[keyword])) {
      const list: unknown[] = copy[keyword] === schema[keyword] ? [...schema[keyword]] : (copy[keyword] as unknown[]);
      list[Number(place)] = within;
      copy[keyword] = list;
    } else {
      const map: Json = copy[keyword] === schema[keyword] ? { ...(schema[keyword] as Json) } : (copy[keyword] as Json);
      Object.defineProperty(map, place, { value: within, enumerable: true, configurable: true, writable: true });
      copy[keyword] = map;
    }
  }
  return copy;
}

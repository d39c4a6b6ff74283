/**
 * Can a value of this type ever have something at that JSON Pointer? Says no only where that is certain; whatever it
 * does not understand, and whatever is too much to look at, it lets pass.
 */
import { follow, pointerTokens } from "../../types/index.ts";
import type { ClosedType } from "../close.ts";

type Look = {
  root: ClosedType;
  /** Schemas that may still be looked at: a type can refer to itself. */ budget: number;
};

export function pointerFits(type: ClosedType, pointer: string): boolean {
  return !never(type, pointerTokens(pointer), { root: type, budget: 1_000 });
}

function never(schema: unknown, tokens: readonly string[], look: Look): boolean {
  if (schema === false) return true;
  if (typeof schema !== "object" || schema === null || --look.budget < 0) return false;
  const { $ref, allOf, anyOf, oneOf, ...own } = schema as Record<string, unknown>;
  const holdsNot = (one: unknown) => never(one, tokens, look);
  if (typeof $ref === "string" && holdsNot(follow(look.root, $ref))) return true;
  if (Array.isArray(allOf) && allOf.some(holdsNot)) return true;
  if ([anyOf, oneOf].some((choices) => Array.isArray(choices) && choices.length > 0 && choices.every(holdsNot)))
    return true;
  const [token, ...rest] = tokens;
  return token !== undefined && noMember(own, { token, rest, look });
}

function noMember(
  schema: Record<string, unknown>,
  { token, rest, look }: { token: string; rest: readonly string[]; look: Look },
): boolean {
  const { type } = schema;
  const may = (name: string) => type === undefined || type === name || (Array.isArray(type) && type.includes(name));
  if (may("array") && /^(?:0|[1-9][0-9]*)$/.test(token)) return false;
  if (!may("object")) return true;
  const properties = (schema["properties"] ?? {}) as Record<string, unknown>;
  if (Object.hasOwn(properties, token)) return never(properties[token], rest, look);
  if (schema["patternProperties"] !== undefined) return false;
  return never(schema["additionalProperties"], rest, look);
}

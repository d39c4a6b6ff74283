/**
 * Can a value of this type ever have something at that JSON Pointer? Says no only where that is certain; whatever it
 * does not understand, and whatever is too much to look at, it lets pass.
 */
import type { ClosedType } from "../close.ts";

type Look = {
  root: ClosedType;
  /** Schemas that may still be looked at: a type can refer to itself. */ budget: number;
};

export function pointerFits(type: ClosedType, pointer: string): boolean {
  return !never(type, tokensOf(pointer), { root: type, budget: 1_000 });
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

/** undefined for what does not lead inside the type: of that nothing is certain. */
function follow(root: ClosedType, reference: string): unknown {
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  let at: unknown = root;
  for (const token of tokensOf(decoded(reference.slice(1)))) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, token)) return undefined;
    at = (at as Record<string, unknown>)[token];
  }
  return at;
}

function tokensOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

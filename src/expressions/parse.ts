/** JSONata's parser, behind what must be known of a text before it may read it, and its complaints in our words. */
import type JSONata from "jsonata";
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { quote } from "./meter.ts";
import { type Node, NO_NODES } from "./nodes.ts";

export type Jsonata = typeof JSONata;

/** JSONata looks for the parent of each `%` through the whole path before it. */
const MAX_PARENTS = 500;

/** Throws expression_invalid. */
export function parse(jsonata: Jsonata, source: string, options: JSONata.JsonataOptions): JSONata.Expression {
  if (source.length > LIMITS.expressionChars) {
    const most = LIMITS.expressionChars;
    refuse(source, undefined, `it may have at most ${most} characters; it has ${source.length}`);
  }
  const parents = source.split("%").length - 1;
  if (parents > MAX_PARENTS) refuse(source, undefined, `"%" may stand in it ${MAX_PARENTS} times; it has ${parents}`);
  refuseGrowth(jsonata, source);
  return read(jsonata, source, source, options);
}

function read(jsonata: Jsonata, text: string, source: string, options: JSONata.JsonataOptions): JSONata.Expression {
  try {
    return jsonata(text, options);
  } catch (cause) {
    const error = cause as { message?: string; position?: number; code?: string };
    if (cause instanceof RangeError) refuse(source, undefined, "it nests too deeply to be read");
    const code = error.code === undefined ? "" : ` (${error.code})`;
    refuse(source, error.position, `${(error.message ?? "it is not JSONata").slice(0, 300)}${code}`, cause);
  }
}

export function refuse(source: string, position: number | undefined, reason: string, cause?: unknown): never {
  const at = position === undefined ? "" : ` at position ${position}`;
  const near =
    position === undefined
      ? ""
      : `; it is near ${JSON.stringify(source.slice(Math.max(0, position - 10), position + 10))}`;
  throw new SwitchyardError(
    "expression_invalid",
    `Cannot compile the expression ${quote(source)}${at}: ${reason}${near}`,
    {
      cause,
      hint: "docs/expressions.md has the language, its limits and what is refused.",
    },
  );
}

const MAX_GROWTH = 50_000;

/**
 * JSONata copies the left side of each `??` and `?:` while it reads, so that 30 of them inside one another would fill
 * the memory before there is a tree to count. A question mark in their place takes the same operands and copies none.
 */
function refuseGrowth(jsonata: Jsonata, source: string): void {
  const pairs = source.match(/\?[?:]/g)?.length ?? 0;
  if (pairs <= 4) return;
  const flat = read(jsonata, source.replaceAll(/\?[?:]/g, "? "), source, {}).ast() as unknown as Node;
  const weigh = (value: unknown, depth: number): number => {
    if (depth > 4 * LIMITS.expressionNesting) refuse(source, undefined, "it nests too deeply");
    if (typeof value !== "object" || value === null || value instanceof RegExp) return 0;
    if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + weigh(item, depth + 1), 0);
    const node = value as Node;
    // JSONata's position of a token is that of its end.
    const copies = node.type === "condition" && /^\?[?:]/.test(source.slice((node.position ?? 1) - 1)) ? 2 : 1;
    let sum = 1;
    for (const key of Object.keys(node)) {
      if (!NO_NODES.has(key)) sum += weigh(node[key], depth + 1) * (key === "condition" ? copies : 1);
    }
    if (sum > MAX_GROWTH)
      refuse(source, node.position, "`??` and `?:` copy their left side, and too many are nested there");
    return sum;
  };
  weigh(flat, 1);
}

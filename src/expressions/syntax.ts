/**
 * From text to JSONata's own syntax tree, refused where it could do harm before it runs or where nothing could stop it:
 * native regular expressions, signatures (JSONata makes native ones of them), `$eval`, and what never gives the same
 * answer twice. Nodes whose values the evaluator works through without telling get a role, by which they are charged.
 */
import type JSONata from "jsonata";
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { loadPatternEngine } from "../core/regex.ts";
import { quote } from "./meter.ts";
import { compileRegex } from "./regex-engine.ts";

export type Role =
  /** Its whole value is walked or written out: an operand of `=` or `&`, a condition. */
  | "walked"
  /** Its items are copied into a sequence: a step of a path, an item of an array. */
  | "copied"
  /** The same, and then sorted. */
  | "sorted"
  /** A key by which a sequence is grouped. */
  | "key"
  /** What a transform writes into the copy that it made. */
  | "update";

/** What we read of JSONata's nodes; `role` is ours. */
export type Node = {
  type: string;
  value?: unknown;
  position?: number;
  role?: Role;
  thunk?: boolean;
  [member: string]: unknown;
};

type Jsonata = typeof JSONata;

const REFUSED: Readonly<Record<string, string>> = {
  eval: "$eval is refused: an expression is what was stored, not what an event brings",
  random: "$random is refused: the same input must give the same result; let an operation draw lots",
  shuffle: "$shuffle is refused: the same input must give the same result; let an operation draw lots",
};

/** What a lambda's signature may be: JSONata's own letters, with a parameter list that cannot be matched in many ways. */
const SIGNATURE =
  /^<(?:(?:[snblaofjx]|\([snblaofjx]{1,9}\))(?:<[snblaofjx:()<>-]{0,20}>)?[-?]?){0,8}(?:\+(?![^:]*\+))?(?::[snblaofjx()<>]{0,20})?>$/;

/** The tree of `source`, which stays the caller's to evaluate. Throws expression_invalid. */
export async function parseExpression(
  jsonata: Jsonata,
  source: string,
  options: JSONata.JsonataOptions,
): Promise<JSONata.Expression> {
  if (source.length > LIMITS.expressionChars) {
    throw new SwitchyardError(
      "expression_invalid",
      `Cannot compile the expression ${quote(source)}: it may have at most ${LIMITS.expressionChars} characters; it has ${source.length}`,
    );
  }
  refuseGrowth(jsonata, source);
  const expression = parse(jsonata, source, source, options);
  const regexes: { node: Node; regex: RegExp }[] = [];
  visit(source, expression.ast() as unknown as Node, 1, regexes, new Set());
  if (regexes.length > 0) await loadPatternEngine();
  for (const { node, regex } of regexes) {
    try {
      compileRegex(regex);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      refuse(source, node.position, `the regular expression /${regex.source}/ must run in linear time: ${reason}`);
    }
  }
  return expression;
}

function parse(jsonata: Jsonata, text: string, source: string, options: JSONata.JsonataOptions): JSONata.Expression {
  try {
    return jsonata(text, options);
  } catch (cause) {
    const error = cause as { message?: string; position?: number; code?: string };
    if (cause instanceof RangeError) refuse(source, undefined, "it nests too deeply to be read");
    const code = error.code === undefined ? "" : ` (${error.code})`;
    refuse(source, error.position, `${(error.message ?? "it is not JSONata").slice(0, 300)}${code}`, cause);
  }
}

function refuse(source: string, position: number | undefined, reason: string, cause?: unknown): never {
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
  const flat = parse(jsonata, source.replaceAll(/\?[?:]/g, "? "), source, {}).ast() as unknown as Node;
  const weigh = (value: unknown, depth: number): number => {
    if (depth > 4 * LIMITS.expressionNesting) refuse(source, undefined, "it nests too deeply");
    if (typeof value !== "object" || value === null || value instanceof RegExp) return 0;
    if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + weigh(item, depth + 1), 0);
    const node = value as Node;
    let sum = 1;
    for (const key of Object.keys(node)) if (!SKIPPED.has(key)) sum += weigh(node[key], depth + 1);
    if (node.type === "condition") {
      const position = node.position ?? 0;
      if (/^\?[?:]/.test(source.slice(position, position + 2))) sum += weigh(node["condition"], depth + 1);
    }
    if (sum > MAX_GROWTH)
      refuse(source, node.position, "`??` and `?:` copy their left side, and too many are nested there");
    return sum;
  };
  weigh(flat, 1);
}

/** Members that are no nodes, or are nodes of elsewhere. */
const SKIPPED = new Set(["signature", "slot", "ancestor", "seekingParent", "position", "type", "value"]);

function visit(
  source: string,
  node: Node,
  depth: number,
  regexes: { node: Node; regex: RegExp }[],
  seen: Set<object>,
): void {
  if (seen.has(node)) return;
  seen.add(node);
  if (depth > LIMITS.expressionNesting) {
    refuse(source, node.position, `its syntax may nest at most ${LIMITS.expressionNesting} levels`);
  }
  if (node.type === "regex") regexes.push({ node, regex: node.value as RegExp });
  if (node.type === "variable") refuseName(source, node);
  if (node.type === "lambda") refuseSignature(source, node);
  if (node.type === "condition") mendCopy(node);
  giveRoles(node);
  for (const key of Object.keys(node)) {
    if (!SKIPPED.has(key)) visitMember(source, node[key], depth, regexes, seen);
  }
}

function visitMember(
  source: string,
  member: unknown,
  depth: number,
  regexes: { node: Node; regex: RegExp }[],
  seen: Set<object>,
): void {
  if (Array.isArray(member)) {
    for (const item of member) visitMember(source, item, depth, regexes, seen);
  } else if (typeof member === "object" && member !== null) {
    visit(source, member as Node, depth + 1, regexes, seen);
  }
}

function refuseName(source: string, node: Node): void {
  const name = String(node.value);
  const reason = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
  if (reason !== undefined) refuse(source, node.position, reason);
}

function refuseSignature(source: string, node: Node): void {
  const definition = (node["signature"] as { definition?: string } | undefined)?.definition;
  if (definition === undefined || SIGNATURE.test(definition)) return;
  refuse(
    source,
    node.position,
    `the signature ${definition.slice(0, 40)} may have at most 8 plain parameters and one "+"`,
  );
}

/** The copy that JSONata makes for `??` and `?:` has lost its regular expressions and signatures: take the original. */
function mendCopy(node: Node): void {
  const then = node["then"] as Node;
  const original = then.thunk === true ? (then["body"] as Node) : then;
  const condition = node["condition"] as Node;
  const [exists] = (condition["arguments"] as Node[] | undefined) ?? [];
  if (placeOf(condition) === placeOf(original)) node["condition"] = original;
  else if (exists !== undefined && placeOf(exists) === placeOf(original)) condition["arguments"] = [original];
}

function placeOf(node: Node): number | undefined {
  return node.position ?? (node["steps"] as Node[] | undefined)?.[0]?.position;
}

function giveRoles(node: Node): void {
  const give = (role: Role, ...nodes: unknown[]) => {
    for (const each of nodes) if (typeof each === "object" && each !== null) (each as Node).role = role;
  };
  if (node.type === "path") {
    const steps = node["steps"] as Node[];
    for (const [index, step] of steps.entries()) give(steps[index + 1]?.type === "sort" ? "sorted" : "copied", step);
  }
  if (node.type === "unary" && node.value === "[") give("copied", ...(node["expressions"] as Node[]));
  if (
    node.type === "binary" &&
    typeof node.value === "string" &&
    ["=", "!=", "&", "in", "and", "or"].includes(node.value)
  ) {
    give("walked", node["lhs"], node["rhs"]);
  }
  if (node.type === "condition") give("walked", node["condition"]);
  for (const filter of [node["predicate"], node["stages"]].flat())
    give("walked", (filter as Node | undefined)?.["expr"]);
  const group = node["group"] as { lhs: [Node, Node][] } | undefined;
  for (const [key] of group?.lhs ?? []) give("key", key);
  if (node.type === "transform") give("update", node["update"]);
}

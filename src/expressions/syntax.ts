/**
 * The syntax tree of an expression, refused where it could do harm before it runs or where nothing could stop it:
 * regular expressions that take time, signatures (JSONata makes native ones of them), `$eval`, and what never gives the
 * same answer twice. Every node gets its role here.
 */
import type JSONata from "jsonata";
import { LIMITS } from "../core/limits.ts";
import { loadPatternEngine } from "../core/regex.ts";
import { bindingsOf, giveRoles, type Node, NO_NODES } from "./nodes.ts";
import { type Jsonata, parse, refuse } from "./parse.ts";
import { compileRegex } from "./regex-engine.ts";

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
  const expression = parse(jsonata, source, options);
  const regexes: { node: Node; regex: RegExp }[] = [];
  visit(source, expression.ast() as unknown as Node, 1, regexes, new Set());
  if (regexes.length > 0) await loadPatternEngine();
  let instructions = 0;
  for (const { node, regex } of regexes) {
    const pattern = `the regular expression /${regex.source.slice(0, 40)}/`;
    try {
      instructions += compileRegex(regex).programSize();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      refuse(source, node.position, `${pattern} must run in linear time: ${reason}`);
    }
    if (instructions > LIMITS.expressionRegexProgram) {
      const most = LIMITS.expressionRegexProgram;
      refuse(
        source,
        node.position,
        `${pattern} makes all of them more than ${most} instructions, the most they may be`,
      );
    }
  }
  return expression;
}

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
  refuseNames(source, node);
  if (node.type === "condition") mendCopy(node);
  giveRoles(node);
  for (const key of Object.keys(node)) {
    if (!NO_NODES.has(key)) visitMember(source, node[key], depth, regexes, seen);
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

/** What is bound anew at each call, and copied for each item. */
const MAX_NAMES = 20;

function refuseNames(source: string, node: Node): void {
  const names = node.type === "path" ? bindingsOf(node) : 0;
  if (names > MAX_NAMES) refuse(source, node.position, `a path may bind at most ${MAX_NAMES} names; it binds ${names}`);
  const parameters = node.type === "lambda" ? (node["arguments"] as Node[]).length : 0;
  if (parameters <= MAX_NAMES) return;
  refuse(source, node.position, `a function may have at most ${MAX_NAMES} parameters; it has ${parameters}`);
}

function refuseSignature(source: string, node: Node): void {
  const definition = (node["signature"] as { definition?: string } | undefined)?.definition;
  if (definition === undefined || SIGNATURE.test(definition)) return;
  refuse(
    source,
    node.position,
    `the signature ${definition.slice(0, 40)} may have at most 8 plain parameters, and a "+" only at their end`,
  );
}

/** The copy that JSONata makes for `??` and `?:` has lost its regular expressions and signatures: take the original. */
function mendCopy(node: Node): void {
  const then = node["then"] as Node;
  const original = then.thunk === true ? (then["body"] as Node) : then;
  const condition = node["condition"] as Node;
  const [exists] = (condition["arguments"] as Node[] | undefined) ?? [];
  const place = placeOf(original);
  if (place === undefined) return;
  if (placeOf(condition) === place) node["condition"] = original;
  else if (exists !== undefined && placeOf(exists) === place) condition["arguments"] = [original];
}

function placeOf(node: Node): number | undefined {
  return node.position ?? (node["steps"] as Node[] | undefined)?.[0]?.position;
}

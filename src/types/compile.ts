/**
 * A type → its compiled check. The fast way where valibot can say the type exactly, else the library; both give the
 * same verdict and the same issues (differential.test.ts). Nothing that cannot be honoured gets through.
 */
import type { Issue } from "../core/errors.ts";
import type { CheckResult, CompiledType } from "../model/resolved.ts";
import { BudgetExceeded } from "./budget.ts";
import { cloneJson, closeType } from "./close.ts";
import {
  isRecord,
  readDefinition,
  refusal,
  type JsonSchema,
  type ResolveNamed,
  type TypeDefinition,
} from "./definition.ts";
import { planDefaults, type Fill } from "./defaults.ts";
import { explain, type Failure } from "./explain.ts";
import { compileFast } from "./fast.ts";
import { loadPatternEngine } from "../core/regex.ts";
import { scanSchema, type Scan, type SchemaNode } from "./scan.ts";
import { toAttributePointer } from "./shorthand.ts";

type Verdict = { accepts(value: unknown): boolean; failures(value: unknown): Failure[] };

/** No constraint at all. */
export const ANY: CompiledType = { schema: true, any: true, check: (value) => ({ ok: true, value, changed: false }) };

/** Throws schema_unsupported or definition_invalid, with pointers into the definition. */
export async function compileType(definition: TypeDefinition, resolveNamed: ResolveNamed): Promise<CompiledType> {
  const { schema } = closeType(definition, resolveNamed);
  const { form } = readDefinition(definition);
  const say = (issue: Issue): Issue => {
    if (form === "schema") return issue;
    const pointer = form === "attributes" ? toAttributePointer(issue.pointer) : `/schema${issue.pointer}`;
    return { ...issue, pointer };
  };
  return compileClosed(schema, say);
}

async function compileClosed(schema: JsonSchema, say: (issue: Issue) => Issue): Promise<CompiledType> {
  if (saysNothing(schema)) return { ...ANY, schema };
  const copy = cloneJson(schema);
  if (mayHavePatterns(copy)) await loadPatternEngine();
  const { scan, unsupported, invalid } = scanSchema(copy);
  const refuseAny = (code: "schema_unsupported" | "definition_invalid", issues: readonly Issue[]): void => {
    if (issues.length > 0) throw refusal(code, issues.map(say));
  };
  let verdictAt: (node: SchemaNode) => Promise<Verdict>;
  const fast = unsupported.length + invalid.length === 0 ? compileFast(scan) : undefined;
  if (fast === undefined) {
    const library = await import("./library.ts");
    await loadPatternEngine(); // The metaschema has patterns of its own.
    refuseAny("definition_invalid", explain(await library.metaschemaFailures(copy)));
    refuseAny("schema_unsupported", unsupported);
    refuseAny("definition_invalid", invalid);
    const compiled = await library.compileLibrary(scan);
    verdictAt = (node) => compiled.checkAt(node);
  } else {
    verdictAt = (node) => Promise.resolve(node === scan.root ? fast : fastAt(scan, node));
  }
  const verdict = await verdictAt(scan.root);
  const issues: Issue[] = [];
  const plan = planDefaults(scan, issues);
  for (const { node, value } of plan?.defaults ?? []) {
    for (const issue of explain((await verdictAt(node)).failures(value))) {
      const inside = issue.pointer === "" ? "" : ` (in it at "${issue.pointer}")`;
      issues.push({ pointer: `${node.pointer}/default`, keyword: issue.keyword, detail: issue.detail + inside });
    }
  }
  refuseAny("definition_invalid", issues);
  return { schema, any: fast?.any === true && plan === undefined, check: toCheck(verdict, plan?.fill) };
}

function toCheck(verdict: Verdict, fill: Fill | undefined): (value: unknown) => CheckResult {
  return (value) => {
    try {
      if (!verdict.accepts(value)) return { ok: false, errors: explain(verdict.failures(value)) };
    } catch (error) {
      if (!(error instanceof BudgetExceeded)) throw error;
      const detail = "takes too many steps to check: the type's alternatives repeat too often in a value this deep";
      return { ok: false, errors: [{ pointer: "", keyword: "$ref", detail }] };
    }
    const filled = fill === undefined ? value : fill(value);
    return { ok: true, value: filled, changed: filled !== value };
  };
}

/** A part of a type that is fast as a whole is fast too. */
function fastAt(scan: Scan, node: SchemaNode): Verdict {
  const check = compileFast(scan, node);
  if (check === undefined) throw new Error(`The schema at "${node.pointer}" was fast only as part of the whole`);
  return check;
}

/** Errs on the side of yes: the words may stand in a description. */
function mayHavePatterns(schema: JsonSchema): boolean {
  return /"(?:pattern|patternProperties|regex)"/.test(JSON.stringify(schema));
}

function saysNothing(schema: JsonSchema): boolean {
  return schema === true || (isRecord(schema) && Object.keys(schema).length === 0);
}

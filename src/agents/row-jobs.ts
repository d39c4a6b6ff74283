/** Rows of jobs → jobs of the planner: their expressions become its callbacks. */
import { compileExpression, type Expression } from "../expressions/index.ts";
import type { JobRow } from "../model/agents.ts";
import { withTarget, type Job, type JobContext, type JobReference, type Value } from "../planner/index.ts";

/** Throws expression_invalid. `inTime` throws when no more is to be evaluated. */
export async function jobOf(row: JobRow, inTime: () => void = () => undefined): Promise<Job> {
  const { name, path, change, reads, sentence, order } = row;
  // What is not known (`value < target` of nothing) is not true.
  const [when, effect, expand] = await Promise.all([
    compiled(row.when === null ? null : `(${row.when}\n) = true`),
    compiled(row.effect),
    compiled(typeof row.expand === "string" ? row.expand : null),
  ]);
  const evaluated = async (expression: Expression, context: JobContext): Promise<unknown> => {
    inTime();
    return expression.evaluate(dataOf(row, context));
  };
  const common = {
    name,
    path,
    kind: change,
    reads,
    ...(when === undefined ? {} : { when: async (context: JobContext) => (await evaluated(when, context)) === true }),
    ...(row.when === null ? {} : { condition: row.when }),
    ...(sentence === null ? {} : { describe: ({ params }: Pick<JobContext, "params">) => fill(sentence, params) }),
  };
  if (row.expand === null) {
    return {
      ...common,
      effect: async (context) =>
        effect === undefined
          ? withTarget(context.value, context.target)
          : ((await evaluated(effect, context)) as Value),
    };
  }
  const fixed = typeof row.expand === "string" ? undefined : row.expand;
  return {
    ...common,
    order,
    expand: async (context) => {
      if (expand !== undefined) return referencesOf(await evaluated(expand, context));
      return (fixed ?? []).map((reference) => at(reference as JobReference, context.params));
    },
  };
}

async function compiled(source: string | null): Promise<Expression | undefined> {
  return source === null ? undefined : compileExpression(source);
}

/** What expressions of a job see. */
export function dataOf(
  row: Pick<JobRow, "path" | "reads">,
  { value, target, params, read }: JobContext,
): Record<string, unknown> {
  const named = row.reads.filter((pointer) => !pointer.includes("*"));
  const reads = named.map((pointer): [string, Value] => [pointer, read(replaced(pointer, params))]);
  return {
    params,
    path: replaced(row.path, params),
    reads: Object.fromEntries(reads.filter(([, found]) => found !== undefined)),
    ...(value === undefined ? {} : { value }),
    ...(target === undefined ? {} : { target }),
  };
}

/** An expression may answer one reference where it means a list of one, as JSONata does. */
function referencesOf(answer: unknown): JobReference[] {
  return (Array.isArray(answer) ? answer : [answer]) as JobReference[];
}

function at(reference: JobReference, params: Readonly<Record<string, string>>): JobReference {
  return reference.path === undefined ? reference : { ...reference, path: replaced(reference.path, params) };
}

/** `/counters/:name` with the parameters in it; slashes of theirs stay inside their part. */
function replaced(template: string, params: Readonly<Record<string, string>>): string {
  return template
    .split("/")
    .map((part) =>
      part.startsWith(":") ? (params[part.slice(1)] ?? part).replaceAll("~", "~0").replaceAll("/", "~1") : part,
    )
    .join("/");
}

function fill(sentence: string, params: Readonly<Record<string, string>>): string {
  return sentence.replaceAll(/\{([^{}]+)\}/g, (whole, name: string) =>
    Object.hasOwn(params, name) ? (params[name] ?? whole) : whole,
  );
}

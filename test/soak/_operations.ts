/**
 * What the soak runs: one operation for each way an execution can go. Handlers have no network, so they tell what they did
 * in their outputs and log lines: each names its execution and its attempt.
 */
import { install, type Dev } from "../e2e/_platform.ts";

type Definition = { code: string; row?: Record<string, unknown> };

const SAY = `const say = (ctx, word) => ctx.log.info(word + " " + ctx.execution.id + " " + ctx.execution.attempt);
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const told = (ctx, input) => ({ id: ctx.execution.id, attempt: ctx.execution.attempt, n: input.n, ...(input.lane === undefined ? {} : { lane: input.lane }) });`;

const SHORT = { initial_ms: 50, max_ms: 500 };

export const OPERATIONS = {
  soak_fast: { code: `export function soak_fast(input, ctx) { return told(ctx, input); }` },
  soak_slow: {
    code: `export async function soak_slow(input, ctx) {
      say(ctx, "start"); await sleep(input.ms); say(ctx, "end"); return told(ctx, input);
    }`,
  },
  /** Fails half the time. */
  soak_flaky: {
    code: `export async function soak_flaky(input, ctx) {
      say(ctx, "start"); await sleep(20);
      if (Math.random() < 0.5) throw new Error("bad luck in attempt " + ctx.execution.attempt);
      say(ctx, "end"); return told(ctx, input);
    }`,
    row: { retry: { max_attempts: 3, ...SHORT } },
  },
  soak_terminal: {
    code: `export function soak_terminal() { throw Object.assign(new Error("never again"), { code: "terminal" }); }`,
    row: { retry: { max_attempts: 3, ...SHORT } },
  },
  /** Wants to be asked again in a moment, the first time it is asked. */
  soak_later: {
    code: `export function soak_later(input, ctx) {
      if (ctx.execution.attempt < 2) throw Object.assign(new Error("not yet"), { code: "retry_after", after_ms: 150 });
      return told(ctx, input);
    }`,
    row: { retry: { max_attempts: 3, ...SHORT } },
  },
  /** One at a time for each lane. */
  soak_lane: {
    code: `export async function soak_lane(input, ctx) { say(ctx, "start"); await sleep(input.ms); say(ctx, "end"); return told(ctx, input); }`,
    row: { concurrency: { limit: 1, key: "/lane" } },
  },
  soak_parent: {
    code: `export async function soak_parent(input, ctx) {
      const child = await ctx.call("soak_slow", { n: -1, ms: input.ms });
      const result = await child.result();
      return { ...told(ctx, input), child: child.execution_id, result };
    }`,
    row: { retry: { max_attempts: 5, ...SHORT } },
  },
} as const satisfies Record<string, Definition>;

export type OperationName = keyof typeof OPERATIONS;

/** Failed attempts that the operation's policy allows. */
export function maxAttemptsOf(operation: string): number {
  const definition: Definition | undefined = OPERATIONS[operation as OperationName];
  return (definition?.row?.["retry"] as { max_attempts: number } | undefined)?.max_attempts ?? 4;
}

export async function installOperations(dev: Dev): Promise<void> {
  for (const [name, { code, row }] of Object.entries<Definition>(OPERATIONS)) {
    await install(dev, name, `${SAY}\n${code}`, { is_async: true, ...row });
  }
}

/**
 * A call of a batch operation: a list of inputs, each checked and run by itself, and a list of outcomes in the same order.
 * The operation's code sees one item at a time. What is done already is not run again, so a batch goes on where it stopped.
 */
import type { ErrorData } from "../core/errors.ts";
import { SwitchyardError, type Issue } from "../core/errors.ts";
import type { ParsedJson } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import type { LogLine } from "../model/invocation.ts";
import type { ItemOutcome, PassedOver } from "../model/outcome.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { invoke, type Invocation, type InvokePorts } from "./invoke.ts";

/** Places named in one refusal. */
const MAX_ISSUES = 100;

/** Throws `input_invalid` with every place that breaks the type, over all items: nothing has run then. */
export function checkBatchInput(operation: ResolvedOperation, input: ParsedJson): { text: string; value: unknown } {
  const items = input.value;
  const refuse = (rule: string, errors: readonly Issue[]): never => {
    throw new SwitchyardError("input_invalid", `Cannot call "${operation.name}" with this input: ${rule}`, {
      errors,
      hint: `opctl describe operation ${operation.name}`,
    });
  };
  if (!Array.isArray(items)) {
    return refuse("a batch operation takes a list of inputs; it is none", [
      { pointer: "", keyword: "type", detail: "must be an array" },
    ]);
  }
  if (items.length > LIMITS.batchItems) {
    return refuse(`a batch may have ${LIMITS.batchItems} items; it has ${items.length}`, [
      { pointer: "", keyword: "maxItems", detail: `must have at most ${LIMITS.batchItems} items` },
    ]);
  }
  if (operation.input.any) return input;
  const errors: Issue[] = [];
  let changed = false;
  const checked = items.map((item: unknown, place) => {
    const result = operation.input.check(item);
    if (!result.ok) {
      errors.push(...result.errors.map((issue) => ({ ...issue, pointer: `/${place}${issue.pointer}` })));
      return item;
    }
    changed ||= result.changed;
    return result.value;
  });
  if (errors.length > 0) {
    const count = errors.length;
    refuse(
      `each item must fit the input type; they break it in ${count} place${count === 1 ? "" : "s"}`,
      errors.slice(0, MAX_ISSUES),
    );
  }
  return changed ? { text: JSON.stringify(checked), value: checked } : input;
}

export type BatchEnd = {
  outcomes: ItemOutcome[];
  environment: string | null;
  passedOver: readonly PassedOver[];
  logs: LogLine[];
  /** What to say of the whole when not every item succeeded. */
  failure: ErrorData | undefined;
};

export type BatchOptions = {
  /** What became of items before, by their place. */
  done?: Readonly<Record<string, ItemOutcome>>;
  onDone?: (place: number, outcome: ItemOutcome) => void;
  /** No item begins after it. Milliseconds since the epoch. */
  deadline?: number;
  now: () => number;
};

/** Runs what is not done, LIMITS.batchParallel at a time, and never throws for what an item did. */
export async function invokeBatch(
  invocation: Omit<Invocation, "input"> & { items: readonly unknown[] },
  ports: InvokePorts,
  options: BatchOptions,
): Promise<BatchEnd> {
  const { items, ...rest } = invocation;
  const outcomes: ItemOutcome[] = [];
  const logs: LogLine[] = [];
  let environment: string | null = null;
  let passedOver: readonly PassedOver[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const place = next++;
      const before = options.done?.[String(place)];
      if (before !== undefined) {
        outcomes[place] = before;
        continue;
      }
      if (
        rest.options?.cancellation?.requested === true ||
        (options.deadline !== undefined && options.now() > options.deadline)
      ) {
        outcomes[place] = { ok: false, error: notBegun(invocation.operation, place), retry: { kind: "may" } };
        continue;
      }
      const value = items[place];
      const run = await invoke(
        { ...rest, meta: { ...rest.meta, item: place }, input: { text: JSON.stringify(value), value } },
        ports,
      );
      ({ environment, passedOver } = run);
      for (const line of run.outcome.logs) {
        if (logs.length <= LIMITS.logLines) logs.push({ ...line, message: `[${place}] ${line.message}` });
      }
      const { outcome } = run;
      outcomes[place] = outcome.ok
        ? { ok: true, output: JSON.parse(outcome.output) as unknown }
        : { ok: false, error: outcome.error, retry: outcome.retry };
      options.onDone?.(place, outcomes[place]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(LIMITS.batchParallel, items.length) }, work));
  return { outcomes, environment, passedOver, logs, failure: failureOf(invocation.operation, outcomes) };
}

/** The list that a caller sees. */
export function batchOutput(outcomes: readonly ItemOutcome[]): string {
  return JSON.stringify(outcomes.map((outcome) => (outcome.ok ? outcome : { ok: false, error: outcome.error })));
}

function failureOf({ name }: ResolvedOperation, outcomes: readonly ItemOutcome[]): ErrorData | undefined {
  const failed = outcomes.flatMap((outcome, place) => (outcome.ok ? [] : [{ place, error: outcome.error }]));
  const [first] = failed;
  if (first === undefined) return undefined;
  return {
    code: "batch_incomplete",
    detail: `Cannot finish "${name}": every item must succeed; ${failed.length} of ${outcomes.length} did not, the first is item ${first.place}: ${first.error.detail}`,
    errors: failed
      .slice(0, MAX_ISSUES)
      .map(({ place, error }) => ({ pointer: `/${place}`, keyword: error.code, detail: error.detail })),
  };
}

function notBegun({ name }: ResolvedOperation, place: number): ErrorData {
  return { code: "timeout", detail: `Cannot run item ${place} of "${name}": the call's time was over before its turn` };
}

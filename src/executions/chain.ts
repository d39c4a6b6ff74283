/**
 * The built-in `chain`: operations one after another, each given the output of the one before, as one execution. Every
 * step is an execution of its own, kept under a key made of the chain's id and the step's place, so that a chain that
 * is interrupted finds its steps again and goes on with the first that is missing.
 */
import type { Cancellation } from "../core/cancellation.ts";
import { SwitchyardError } from "../core/errors.ts";
import { parseJsonText } from "../core/json.ts";
import { contextOf } from "../core/trace.ts";
import { dispatch, type DispatchPorts } from "../dispatch/dispatch.ts";
import type { Step } from "../model/execution.ts";
import type { InvocationMeta } from "../model/invocation.ts";
import { parseNameAtRevision } from "../model/names.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";

/** `operation` may be pinned: name@revision. `args` are the first step's input, and override the output before a later one. */
export type ChainStep = { operation: string; args?: Record<string, unknown> | undefined };

export type ChainPorts = {
  dispatch: DispatchPorts;
  /** Notes the steps with the chain's execution. false: this attempt does not count any more. */
  noteSteps(id: string, attempt: number, steps: Step[]): Promise<boolean>;
  statusOf(id: string): Promise<Step["status"] | undefined>;
};

export type ChainCall = {
  steps: readonly ChainStep[];
  principal: Principal;
  meta: Pick<InvocationMeta, "execution_id" | "attempt" | "traceparent" | "tracestate">;
  depth: number;
  /** The steps that an attempt before has begun. */
  begun: readonly Step[];
  cancellation: Cancellation | undefined;
};

/** Of one look at a step. It is asked again as long as it takes. */
const WAIT_MS = 30_000;

/** The last step's output as JSON text, or how the first that failed ended. Its own tries are used up by then. */
export async function runChain(call: ChainCall, ports: ChainPorts): Promise<Outcome> {
  const { execution_id: id, attempt } = call.meta;
  const steps: Step[] = [...call.begun];
  let before: string | undefined;
  for (const [place, step] of call.steps.entries()) {
    const where = `step ${place + 1} of ${call.steps.length} (${step.operation})`;
    const begin = async (): Promise<string> => {
      const text = inputOf(step, before, where);
      const { name, revision } = parseNameAtRevision(step.operation) ?? { name: step.operation, revision: undefined };
      const answer = await dispatch(
        {
          name,
          ...(revision === undefined ? {} : { revision }),
          input: { text, value: parseJsonText(text) },
          principal: call.principal,
          caller: { type: "execution", id },
          depth: call.depth + 1,
          ...contextOf(call.meta),
          async: true,
          idempotencyKey: `chain ${id} ${place}`,
        },
        ports.dispatch,
      );
      return answer.kept?.id ?? "";
    };
    try {
      const known = steps[place]?.execution_id;
      const child = known ?? (await begin());
      if (known === undefined) {
        steps[place] = { operation: step.operation, execution_id: child, status: "queued" };
        if (!(await ports.noteSteps(id, attempt, steps))) return stopped(where);
      }
      let outcome: Outcome | undefined;
      while (outcome === undefined) {
        if (call.cancellation?.requested === true) return stopped(where);
        outcome = await ports.dispatch.keeper.outcome(child, WAIT_MS);
        if (outcome !== undefined || (await ports.statusOf(child)) !== undefined) continue;
        // A chain that went on after its step was forgotten: what the step answered is not to be had.
        throw new SwitchyardError("entity_not_found", `Cannot go on: the step's execution ${child} is no longer kept`);
      }
      steps[place] = {
        operation: step.operation,
        execution_id: child,
        status: (await ports.statusOf(child)) ?? "dead",
      };
      if (!(await ports.noteSteps(id, attempt, steps))) return stopped(where);
      if (!outcome.ok) {
        const { error } = outcome;
        return {
          ok: false,
          error: { ...error, detail: `${where}: ${error.detail}` },
          retry: { kind: "never" },
          logs: [],
        };
      }
      before = outcome.output;
    } catch (thrown) {
      throw thrown instanceof SwitchyardError
        ? new SwitchyardError(thrown.code, `${where}: ${thrown.message}`, {
            ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
            ...(thrown.errors === undefined ? {} : { errors: thrown.errors }),
            ...(thrown.afterMs === undefined ? {} : { afterMs: thrown.afterMs }),
          })
        : thrown;
    }
  }
  return { ok: true, output: before ?? "null", logs: [] };
}

/** The text is handed on as it is when nothing overrides it, so that no digit of a number is lost on the way. */
function inputOf({ args = {} }: ChainStep, before: string | undefined, where: string): string {
  if (before === undefined) return JSON.stringify(args);
  if (Object.keys(args).length === 0) return before;
  const value: unknown = JSON.parse(before);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return JSON.stringify({ ...value, ...args });
  throw new SwitchyardError(
    "input_invalid",
    `Cannot give arguments to ${where}: they are set on the object that the step before answers; it is ${before.slice(0, 80)}`,
    { hint: "leave the arguments out to hand the value on as it is" },
  );
}

function stopped(where: string): Outcome {
  const detail = `Cannot finish the chain: it was stopped at ${where}`;
  return { ok: false, error: { code: "execution_cancelled", detail }, retry: { kind: "never" }, logs: [] };
}

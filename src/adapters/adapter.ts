/**
 * The interface of every place that can run an operation. An adapter knows one sort of environment; dispatch knows
 * none. Each implementation passes `test/contracts/adapter.ts`.
 */
import { ERRORS, toErrorData, toSwitchyardError } from "../core/errors.ts";
import type { Step } from "../model/execution.ts";
import type { InvocationMeta, RunOptions } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

export type AdapterCall = {
  operation: ResolvedOperation;
  /** JSON text that fits the input type, defaults filled in. */
  input: string;
  /** The same value, parsed. */
  inputValue: unknown;
  meta: InvocationMeta;
  principal: Principal;
  depth: number;
  options?: RunOptions;
  /** The steps that an attempt before has begun, when it is a chain. */
  steps?: readonly Step[];
};

/** What an adapter answers for what was thrown: what the caller would have to mend is no better at the next try. */
export function outcomeOfThrown(thrown: unknown): Outcome {
  const error = toErrorData(toSwitchyardError(thrown));
  const kind = ERRORS[error.code].fault === "user" ? "never" : "may";
  return { ok: false, error, retry: { kind }, logs: [] };
}

export interface Adapter {
  readonly name: string;
  /** Runs it once. Never throws for what the implementation did: that is an outcome. */
  invoke(call: AdapterCall): Promise<Outcome>;
}

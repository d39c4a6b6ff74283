/**
 * What passes between dispatch and the place that runs a module, in one process or across several. Values travel as
 * JSON text: it is what both ends have anyway, it is cheaper to pass than an object graph, and it cannot carry
 * anything that is not JSON.
 */
import type { Cancellation } from "../core/cancellation.ts";
import type { ErrorData } from "../core/errors.ts";
import type { ModuleLanguage } from "./entities.ts";
import type { Caller } from "./principal.ts";

/** Everything that decides how an isolate behaves. The same `id` always has the same content. */
export type IsolateDefinition = {
  /** The module's source: one file. */
  code: string;
  language: ModuleLanguage;
  export: string;
  /** Hosts the code may reach. Empty: no network at all. */
  network: readonly string[];
  /** Name → value. */
  secrets: Readonly<Record<string, string>>;
};

/** A reference to an isolate that may or may not be loaded already. */
export type IsolateSpec = {
  /** operation + code hash + export + network list + secret versions, and nothing else. Safe in URLs and headers. */
  id: string;
  /** The operation, for blame and for placing: an operation that kills executors gets a process of its own. */
  operation: string;
  load(): Promise<IsolateDefinition>;
};

/** What a handler sees as ctx.execution, and what the executor needs to run and stop it. */
export type InvocationMeta = {
  execution_id: string;
  attempt: number;
  operation: string;
  revision: number;
  caller: Caller;
  traceparent: string;
  /** What other vendors keep beside it: core/trace.ts. */
  tracestate?: string;
  /** Milliseconds from the start of the handler. */
  timeout_ms: number;
  /** Sent as the bearer when the handler uses ctx.call: acts for the principal, one level deeper. */
  capability: string;
  /** The place of an item of a batch: the same execution runs many at once. */
  item?: number;
  /** Log lines are sent while the handler runs (POST /executions/:id/logs), beside coming back with the result. */
  live?: boolean;
};

export type LogLine = { level: "debug" | "info" | "warn" | "error"; message: string; at_ms: number };

/** The end of one invocation. `output` is JSON text, not yet checked against the output type. */
export type InvocationResult =
  | { ok: true; output: string; logs: readonly LogLine[] }
  | { ok: false; error: ErrorData; retry: RetryAdvice; logs: readonly LogLine[] };

/** What the failure itself says about trying again. `never` is a handler's own `code: 'terminal'`. */
export type RetryAdvice = { kind: "may" } | { kind: "never" } | { kind: "after"; after_ms: number };

export type RunOptions = {
  /** Calls that begin together under the same group belong to one request and may share messages. */
  group?: object;
  /** Nobody wants the result any more: ctx.signal aborts. The handler may go on; what it comes to is thrown away. */
  cancellation?: Cancellation;
};

/** The port through which dispatch runs inline code. Never throws: a lost executor is a result too. */
export interface Executor {
  run(isolate: IsolateSpec, input: string, meta: InvocationMeta, options?: RunOptions): Promise<InvocationResult>;
}

/** What a package that brings an adapter uses of Switchyard: `import { unstarted } from "switchyard/adapter"`. */
export { outcomeOfThrown, unstarted } from "./adapter.ts";
export type {
  Adapter,
  AdapterCall,
  AdapterPorts,
  EnvironmentCheck,
  EnvironmentHandle,
  JobsPort,
  JobTicket,
  NetworkName,
  OpenedJob,
} from "./adapter.ts";
export type { Outcome } from "../model/outcome.ts";
export type { Implementation, ResolvedOperation } from "../model/resolved.ts";
export type { ErrorCode } from "../core/errors.ts";
/** traceparent and tracestate, to be handed on to what is asked: `{ ...contextOf(call.meta) }`. */
export { contextOf } from "../core/trace.ts";
export { Cancellation } from "../core/cancellation.ts";

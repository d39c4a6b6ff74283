/** The way of a call, told to telemetry: a span around it, and what it came to is counted. */
import { toSwitchyardError, type ErrorCode } from "../core/errors.ts";
import type { Meter } from "../telemetry/meter.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Attributes, SpanStart } from "../telemetry/tracer.ts";
import type { Answer, Call, DispatchPorts } from "./dispatch.ts";

/** Refused before it was certain that there is such an operation: whatever was named then is no label. */
const UNRESOLVED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "operation_not_found",
  "call_depth_exceeded",
  "registry_unavailable",
  "registry_behind",
  "internal",
]);

type Dispatch = (call: Call, ports: DispatchPorts) => Promise<Answer>;

/** `go` is dispatch itself. Its answer and what it throws are handed on as they are. */
export async function observed(call: Call, ports: DispatchPorts, telemetry: Telemetry, go: Dispatch): Promise<Answer> {
  const { meter, tracer } = telemetry;
  const start: SpanStart = {
    name: "dispatch",
    kind: "internal",
    attributes: { "switchyard.caller.type": call.caller.type, "switchyard.depth": call.depth },
  };
  const root = call.isRoot === true ? tracer?.root(call, start) : undefined;
  const span = root === undefined ? tracer?.begin(call, start) : root.span;
  const trace = root?.trace ?? span?.trace;
  try {
    const answer = await go(trace === undefined ? call : { ...call, ...trace }, ports);
    if (meter !== undefined) count(meter, call, answer);
    // Attempts are linked to the span in which their call was kept, as consumers are to producers.
    const kind = answer.operation.isAsync || call.async === true ? "producer" : "internal";
    span?.end(attributesOf(answer), { error: codeOf(answer), kind });
    return answer;
  } catch (thrown) {
    const { code } = toSwitchyardError(thrown);
    const name = UNRESOLVED.has(code) ? "_unknown" : call.name;
    meter?.count("calls", name, "", "refused", code);
    span?.end({ "switchyard.operation": call.name }, { error: code });
    throw thrown;
  }
}

function count(meter: Meter, call: Call, answer: Answer): void {
  const { operation, outcome, kept, timings, environment = null } = answer;
  if (call.validateOnly === true) return;
  const isAsync = operation.isAsync || call.async === true;
  // What the attempts of a kept call come to is counted where they are made.
  if (isAsync) return meter.count("calls", operation.name, "", kept?.repeated === true ? "repeated" : "accepted", "");
  if (outcome === undefined) return;
  if (kept?.repeated === true) return meter.count("calls", operation.name, "", "repeated", "");
  const code = outcome.ok ? null : outcome.error.code;
  meter.call({ operation: operation.name, environment, code, ms: timings.total });
}

function codeOf({ outcome }: Answer): string | undefined {
  return outcome === undefined || outcome.ok ? undefined : outcome.error.code;
}

function attributesOf({ operation, executionId, environment, kept }: Answer): Attributes {
  return {
    "switchyard.operation": operation.name,
    "switchyard.revision": operation.revision,
    "switchyard.environment": environment ?? undefined,
    "faas.invocation_id": executionId,
    "switchyard.repeated": kept?.repeated === true ? true : undefined,
  };
}

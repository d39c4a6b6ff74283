/** Runs a call on a host (src/host), whatever carries orders there: the half of the host protocol that asks. */
import { SwitchyardError, type ErrorCode } from "../core/errors.ts";
import { utf8Length } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import { joinFrame } from "../model/frame.ts";
import { HOST_PROTOCOL, parseReply, type HostOrder, type HostReply, type Work } from "../model/host-protocol.ts";
import type { InvocationResult } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Implementation } from "../model/resolved.ts";
import { outcomeOfThrown, unstarted, type AdapterCall, type AdapterPorts } from "./adapter.ts";

/** Carries one order and brings the reply back, or says why it could not. */
export type Carry = (order: string) => Promise<string | Outcome>;

type Ports = Pick<AdapterPorts, "isolates" | "artifacts" | "platformUrl">;
/** The longest order and reply that the carrier takes. Bytes. */
type Options = { maxBytes?: number };

export async function runOnHost(
  call: AdapterCall,
  carry: Carry,
  ports: Ports,
  options: Options = {},
): Promise<Outcome> {
  // A host that asks for the definition has started nothing either.
  let mayHaveStarted = false;
  const ask = async (order: HostOrder): Promise<HostReply | Outcome> => {
    const frame = await fitted(order, call, ports, options);
    mayHaveStarted = true;
    const answer = await carry(frame);
    return typeof answer === "string" ? parseReply(answer) : answer;
  };
  try {
    const order = await orderOf(call, ports);
    let reply = await ask(order);
    if ("kind" in reply && reply.kind === "need_definition") {
      mayHaveStarted = false;
      order.definition = await ports.isolates.loadIsolate(call.operation);
      reply = await ask(order);
    }
    if (!("kind" in reply)) return reply;
    switch (reply.kind) {
      case "result":
        return nothingRan(reply.result);
      case "output_artifact":
        return { ...reply.result, output: await ports.artifacts.text(reply.id) };
      case "need_definition":
        return unstarted(
          "host_outdated",
          `Cannot run "${call.operation.name}" in "${call.environment.name}": its host must take the definition that it asked for; it asks again`,
        );
    }
  } catch (thrown) {
    const outcome = outcomeOfThrown(thrown);
    return outcome.ok || mayHaveStarted ? outcome : { ...outcome, unstarted: true };
  }
}

/** Said by a host before it started anything. */
const BEFORE_START: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "environment_forbids",
  "environment_misconfigured",
  "environment_refused",
  "environment_throttled",
  "environment_unavailable",
  "host_outdated",
]);

function nothingRan(result: InvocationResult): Outcome {
  return result.ok || !BEFORE_START.has(result.error.code) ? result : { ...result, unstarted: true };
}

/** The order of a call, without its definition. */
export async function orderOf({ operation, meta }: AdapterCall, ports: Ports): Promise<HostOrder> {
  const work = workOf(operation.implementation);
  if (work === undefined) {
    throw new SwitchyardError(
      "no_environment",
      `Cannot run "${operation.name}" on a host: its implementation must be something that a host runs; it is ${operation.implementation.kind}`,
    );
  }
  return {
    protocol: HOST_PROTOCOL,
    isolate: work.kind === "module" ? await ports.isolates.isolateId(operation) : "",
    work,
    meta,
    platform_url: ports.platformUrl ?? null,
  };
}

function workOf(implementation: Implementation): Work | undefined {
  switch (implementation.kind) {
    case "module":
      return { kind: "module", language: implementation.language };
    case "process":
    case "container":
    case "http":
      return implementation;
    case "lambda":
    case "service":
    case "builtin":
      return undefined;
  }
}

/** The order as a frame. What makes it too long for its carrier becomes an artifact. */
async function fitted(order: HostOrder, call: AdapterCall, ports: Ports, options: Options): Promise<string> {
  const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
  const whole = joinFrame(order, call.input);
  // A character is at most three bytes, so most orders need no count.
  if (whole.length * 3 <= maxBytes || utf8Length(whole) <= maxBytes) return whole;
  if (ports.platformUrl === undefined) {
    throw new SwitchyardError(
      "payload_too_large",
      `Cannot send the input to "${call.environment.name}": what is over ${maxBytes} bytes is fetched from the platform, whose public address must be set; it is not`,
      { hint: "set PUBLIC_URL (opctl dev --public-url)" },
    );
  }
  const put = (text: string) => ports.artifacts.put(call.meta.execution_id, text, call.meta.operation);
  const small = { ...order };
  let { input } = call;
  if (input.length > LIMITS.offloadChars) {
    small.input_artifact = await put(input);
    input = "";
  }
  if (small.definition !== undefined && small.definition.code.length > LIMITS.offloadChars) {
    small.code_artifact = await put(small.definition.code);
    small.definition = { ...small.definition, code: "" };
  }
  return joinFrame(small, input);
}

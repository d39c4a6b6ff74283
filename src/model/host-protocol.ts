/**
 * What a host (src/host) is asked and what it answers, whatever carries it: an HTTP body, a Lambda event, a runner's
 * WebSocket, a job that fetches it. An order and a reply are frames (frame.ts): a line of JSON, then the raw input or
 * output.
 *
 *     order:  HostOrder \n input          reply:  {"ok":true,"logs":[…]} \n output
 *                                                 {"ok":false,"error":{…},"retry":{…},"logs":[…]} \n
 *                                                 {"need":"definition"} \n
 *
 * A host keeps definitions by isolate id; the first order for one is answered with `need`, nothing has run then, and the
 * same order comes again with the definition. What is too large for what carries it travels as an artifact of the
 * execution, fetched or stored with the capability of the order.
 */
import type { ModuleLanguage } from "./entities.ts";
import type { ContainerImplementation, HttpImplementation, ProcessImplementation } from "./implementations.ts";
import { parseResult, splitFrame, joinFrame } from "./frame.ts";
import type { InvocationMeta, InvocationResult, IsolateDefinition } from "./invocation.ts";
import type { ReplicaSpec } from "./services.ts";

/** Raised when an older host would misunderstand. A host refuses another number with host_outdated. */
export const HOST_PROTOCOL = 1;

export type Work =
  | { kind: "module"; language: ModuleLanguage }
  | ({ kind: "process" } & ProcessImplementation)
  | ({ kind: "container" } & ContainerImplementation)
  | ({ kind: "http" } & HttpImplementation)
  | ({ kind: "replica" } & ReplicaWork);

/**
 * What a runner does for services. The output of `start` is a ReplicaReport, once it is ready: one that is there already is not
 * started again; of `stop` null, once it is gone; of `observe` ReplicaReport[]; of `request` an HttpAnswer as a frame of its
 * own: its head, then its body as it is. In JSON a body within the limit could become one beyond it.
 */
export type ReplicaWork =
  | { do: "start"; service: string; replica: string; revision: string; spec: ReplicaSpec }
  | { do: "stop"; replica: string; grace_ms: number }
  | { do: "observe"; service: string | null }
  /** The order's input is the body. `path` has the query in it. */
  | { do: "request"; replica: string; method: string; path: string; headers: Readonly<Record<string, string>> };

/** `body`: text; what is not UTF-8 is no answer. */
export type HttpAnswer = { status: number; headers: Readonly<Record<string, string>>; body: string };
export type HttpAnswerHead = Omit<HttpAnswer, "body">;

export type HostOrder = {
  protocol: number;
  /** Decides all of the behaviour of a module: see IsolateSpec.id. Empty for other work. */
  isolate: string;
  work: Work;
  meta: InvocationMeta;
  /** Where ctx reaches the platform; null: ctx.call and artifacts do not work here, and say so. */
  platform_url: string | null;
  definition?: IsolateDefinition;
  /** The input's or the code's text is this artifact's content; what stands in its place is empty. */
  input_artifact?: string;
  code_artifact?: string;
};

export type HostReply =
  | { kind: "result"; result: InvocationResult }
  | { kind: "need_definition" }
  /** The output is this artifact's content. */
  | { kind: "output_artifact"; id: string; result: InvocationResult & { ok: true } };

export const NEED_REPLY = joinFrame({ need: "definition" }, "");

/** Reads what a host answered. A host runs the users' code, so nothing is taken on trust. */
export function parseReply(frame: string): HostReply {
  if (frame === NEED_REPLY) return { kind: "need_definition" };
  const [head] = splitFrame(frame);
  if (head.includes('"output_artifact"')) {
    const result = parseResult(`${head}\nnull`);
    const id = artifactIn(head);
    if (result.ok && id !== undefined) return { kind: "output_artifact", id, result };
  }
  return { kind: "result", result: parseResult(frame) };
}

function artifactIn(head: string): string | undefined {
  const { output_artifact: id } = JSON.parse(head) as { output_artifact?: unknown };
  return typeof id === "string" && id !== "" ? id : undefined;
}

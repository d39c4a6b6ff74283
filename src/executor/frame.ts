/**
 * How an invocation and its end travel: one line of JSON, then the raw input or output. The long part is never parsed
 * or escaped on the way.
 */
import { LIMITS } from "../core/limits.ts";
import type { InvocationMeta, InvocationResult, IsolateDefinition } from "../model/invocation.ts";

export type RunHead = {
  isolate: string;
  /** When the request was sent, milliseconds since the epoch on this machine. See START_FENCE_MS. */
  sent_at_ms: number;
  /** Nobody waits for a call that starts later than this. */
  start_by_ms: number;
  meta: InvocationMeta;
  /** Only after the process has said that it does not know the isolate. */
  definition?: IsolateDefinition;
};

export function joinFrame(head: unknown, rest: string): string {
  return `${JSON.stringify(head)}\n${rest}`;
}

export function splitFrame(frame: string): [head: string, rest: string] {
  const end = frame.indexOf("\n");
  return end === -1 ? [frame, ""] : [frame.slice(0, end), frame.slice(end + 1)];
}

const PLAIN_SUCCESS = '{"ok":true,"logs":[]}';

/** Reads what an isolate answered. The isolate shares its memory with the operation's code, so nothing is taken on trust. */
export function parseResult(frame: string): InvocationResult {
  const [head, output] = splitFrame(frame);
  if (output.length > LIMITS.jsonBytes) return broken("an output over the limit");
  if (head === PLAIN_SUCCESS) return { ok: true, output, logs: [] };
  let result: Omit<Extract<InvocationResult, { ok: true }>, "output"> | Extract<InvocationResult, { ok: false }>;
  try {
    result = JSON.parse(head) as typeof result;
  } catch {
    return broken("not a result");
  }
  if (!Array.isArray(result.logs)) return broken("a result without logs");
  return result.ok ? { ok: true, output, logs: result.logs } : result;
}

function broken(what: string): InvocationResult {
  const detail = `Cannot read the isolate's answer: it must be a result line and an output; it is ${what}`;
  return { ok: false, error: { code: "implementation_failed", detail }, retry: { kind: "may" }, logs: [] };
}

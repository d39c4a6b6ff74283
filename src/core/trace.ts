/**
 * W3C Trace Context: `traceparent: 00-<trace id>-<parent id>-<flags>`, and the `tracestate` that other vendors keep beside
 * it. What is malformed is not repaired: a new trace begins, and its tracestate goes with it.
 */
import { toHex } from "./hash.ts";
import { randomBytes } from "./random.ts";

/** What travels with a call, by whatever carries it. */
export type TraceContext = { traceparent: string; tracestate?: string };

/** `isRoot`: it begins here, whether it is kept is not decided yet, and its span is nobody's. Travels no further. */
export type CallTrace = TraceContext & { isRoot?: true };

/** A traceparent, read. `flags` holds those that the standard defines: 1 sampled, 2 random trace id. */
export type Traceparent = { traceId: string; spanId: string; flags: number };

/** Of a version that is not known yet only the beginning is, and more fields may follow. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
export const SAMPLED = 1;
const KNOWN_FLAGS = 3;

/** undefined: there is none, or it is not one. Two headers arrive joined by a comma, which is no traceparent either. */
export function parseTraceparent(header: string | null | undefined): Traceparent | undefined {
  const match = header == null ? null : TRACEPARENT.exec(header);
  if (match === null) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

export function formatTraceparent({ traceId, spanId, flags }: Traceparent): string {
  return `00-${traceId}-${spanId}-0${flags}`;
}

/** The caller's trace handed on as it came; a new one where none, or a malformed one, came. */
export function passOnTrace(header: string | null | undefined): string {
  return formatTraceparent(parseTraceparent(header) ?? newTrace());
}

/** The context of what no request has asked for: a schedule, say. */
export function beginTrace(): CallTrace {
  return { traceparent: formatTraceparent(newTrace()), isRoot: true };
}

/** A trace that begins here. */
export function newTrace(): Traceparent {
  return { traceId: toHex(randomBytes(16)), spanId: newSpanId(), flags: SAMPLED };
}

export function newSpanId(): string {
  return toHex(randomBytes(8));
}

/** The context that came with a request, handed on. A tracestate is worth nothing without its traceparent. */
export function passOnContext(headers: Headers): TraceContext {
  const came = headers.get("traceparent");
  if (came === null) return { traceparent: passOnTrace(undefined) };
  const parsed = parseTraceparent(came);
  const tracestate = parsed === undefined ? undefined : parseTracestate(headers.get("tracestate"));
  return contextOf({
    traceparent: formatTraceparent(parsed ?? newTrace()),
    ...(tracestate === undefined ? {} : { tracestate }),
  });
}

/** The trace of something that carries more than that. */
export function contextOf({ traceparent, tracestate }: TraceContext): TraceContext {
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

/** As variables of a process's environment, as OpenTelemetry names them. */
export function traceVariables({ traceparent, tracestate }: TraceContext): { name: string; value: string }[] {
  const parent = { name: "TRACEPARENT", value: traceparent };
  return tracestate === undefined ? [parent] : [parent, { name: "TRACESTATE", value: tracestate }];
}

const MEMBER =
  /^(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const MAX_MEMBERS = 32;
/** What everybody must be able to hand on; what is longer is shortened as the standard says. */
const MAX_CHARS = 512;
const LONG_CHARS = 128;

/** As it came, unless it is malformed: then nothing of it is kept. */
export function parseTracestate(header: string | null | undefined): string | undefined {
  if (header == null || header.length > 100_000) return undefined;
  // Empty members are allowed between commas.
  let members = header
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
  if (members.length === 0 || members.length > MAX_MEMBERS || !members.every((member) => MEMBER.test(member)))
    return undefined;
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf("="))));
  if (keys.size < members.length) return undefined;
  if (header.length <= MAX_CHARS) return header;
  members = members.filter((member) => member.length <= LONG_CHARS);
  while (members.join(",").length > MAX_CHARS) members.pop();
  return members.length === 0 ? undefined : members.join(",");
}

/**
 * The platform's own lines: one JSON object each, with level, at and message, and where it is about a call its execution,
 * operation and trace_id. Every string of it is redacted.
 */
import { redactLine } from "./redact.ts";
import { parseTraceparent } from "./trace.ts";

const WRITES = { debug: "log", info: "log", warn: "warn", error: "error" } as const;
type Level = keyof typeof WRITES;

export type LogFields = {
  execution?: string;
  operation?: string;
  /** Becomes trace_id. */
  traceparent?: string;
  stack?: string | undefined;
  /** When it was said, where that is not now. Milliseconds since the epoch. */
  atMs?: number;
};

/** A cause of a cause says little more. */
const MAX_CAUSES = 4;

export function log(level: Level, message: string, { traceparent, atMs, stack, ...fields }: LogFields = {}): void {
  const traceId = parseTraceparent(traceparent)?.traceId;
  const line = {
    level,
    at: new Date(atMs ?? Date.now()).toISOString(),
    message: redactLine(message),
    ...fields,
    ...(traceId === undefined ? {} : { trace_id: traceId }),
    ...(stack === undefined ? {} : { stack: redactLine(stack) }),
  };
  console[WRITES[level]](JSON.stringify(line));
}

/** `doing` is what could not be done; what was thrown follows, with its causes. */
export function logError(doing: string, thrown: unknown, fields?: LogFields): void {
  log("error", `${doing}: ${describeThrown(thrown)}`, fields);
}

export function describeThrown(thrown: unknown): string {
  const said: string[] = [];
  let cause: unknown = thrown;
  for (let depth = 0; cause !== undefined && cause !== null && depth < MAX_CAUSES; depth++) {
    said.push(wordsOf(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return said.length === 0 ? wordsOf(thrown) : said.join(", because of ");
}

function wordsOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null || thrown instanceof Error) return String(thrown);
  const { message } = thrown as { message?: unknown };
  return typeof message === "string" ? message : Object.prototype.toString.call(thrown);
}

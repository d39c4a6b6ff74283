/** Makes spans: of traces that are sampled, and of no other. A span is data, handed on when it ends. */
import {
  contextOf,
  formatTraceparent,
  newSpanId,
  newTrace,
  parseTraceparent,
  parseTracestate,
  SAMPLED,
  type TraceContext,
} from "../core/trace.ts";
import type { Sampler } from "./sampler.ts";

export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";
/** undefined: there is no such attribute. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export type Span = {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  tracestate: string | undefined;
  flags: number;
  name: string;
  kind: SpanKind;
  startMs: number;
  endMs: number;
  attributes: Attributes;
  /** Another span that led to this one. */
  link: { traceId: string; spanId: string } | undefined;
  isError: boolean;
};

export type SpanStart = { name: string; kind: SpanKind; attributes?: Attributes; link?: TraceContext };

export type OpenSpan = {
  /** What is handed on to whatever this span asks. */
  readonly trace: TraceContext;
  /** Once. `error`: what went wrong, as a word of few values; `kind`: what it has turned out to be. */
  end(attributes?: Attributes, how?: { error?: string | undefined; kind?: SpanKind }): void;
};

export interface Tracer {
  /** A request from outside: its trace goes on, or one begins. */
  enter(headers: Headers, start: SpanStart): { trace: TraceContext; span: OpenSpan | undefined };
  /** What no request has asked for: a trace begins, kept or not as its id decides. */
  root(begun: TraceContext, start: SpanStart): { trace: TraceContext; span: OpenSpan | undefined };
  /** undefined: the trace is not sampled; its context is handed on as it is. */
  begin(parent: TraceContext, start: SpanStart): OpenSpan | undefined;
}

export type TracerPorts = { sampler: Sampler; take: (span: Span) => void; now: () => number };

export function createTracer({ sampler, take, now }: TracerPorts): Tracer {
  const open = (
    trace: { traceId: string; parentSpanId: string | undefined; flags: number; tracestate: string | undefined },
    start: SpanStart,
  ): OpenSpan => {
    const { traceId, flags, tracestate } = trace;
    const spanId = newSpanId();
    const startMs = now();
    const traceparent = formatTraceparent({ traceId, spanId, flags });
    return {
      trace: tracestate === undefined ? { traceparent } : { traceparent, tracestate },
      end(attributes, { error, kind = start.kind } = {}) {
        take({
          ...trace,
          spanId,
          name: start.name,
          kind,
          startMs,
          // A clock that was set back meanwhile makes no span end before it began.
          endMs: Math.max(startMs, now()),
          attributes: { ...start.attributes, ...attributes, "error.type": error },
          link: parseTraceparent(start.link?.traceparent),
          isError: error !== undefined,
        });
      },
    };
  };
  return {
    enter(headers, start) {
      const parent = parseTraceparent(headers.get("traceparent"));
      const { traceId, flags: given } = parent ?? newTrace();
      const isSampled = sampler(traceId, parent);
      const flags = isSampled ? given | SAMPLED : given & ~SAMPLED;
      const tracestate = parent === undefined ? undefined : parseTracestate(headers.get("tracestate"));
      if (isSampled) {
        const span = open({ traceId, parentSpanId: parent?.spanId, flags, tracestate }, start);
        return { trace: span.trace, span };
      }
      const traceparent = formatTraceparent({ traceId, spanId: parent?.spanId ?? newSpanId(), flags });
      return {
        trace: contextOf({ traceparent, ...(tracestate === undefined ? {} : { tracestate }) }),
        span: undefined,
      };
    },
    root(begun, start) {
      const { traceId, spanId, flags } = parseTraceparent(begun.traceparent) ?? newTrace();
      if (!sampler(traceId, undefined)) {
        return {
          trace: { traceparent: formatTraceparent({ traceId, spanId, flags: flags & ~SAMPLED }) },
          span: undefined,
        };
      }
      const span = open({ traceId, parentSpanId: undefined, flags: flags | SAMPLED, tracestate: undefined }, start);
      return { trace: span.trace, span };
    },
    begin(parent, start) {
      const came = parseTraceparent(parent.traceparent);
      if (came === undefined || (came.flags & SAMPLED) === 0) return undefined;
      const { traceId, spanId, flags } = came;
      return open({ traceId, parentSpanId: spanId, flags, tracestate: parent.tracestate }, start);
    },
  };
}

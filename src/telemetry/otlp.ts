/**
 * Spans as OTLP's JSON: opentelemetry/proto/collector/trace/v1 with names in lowerCamelCase, ids in hex, 64-bit numbers as
 * strings, enums as numbers. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import type { Attributes, Span, SpanKind } from "./tracer.ts";

const KINDS: Record<SpanKind, number> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const STATUS_ERROR = 2;

export type Resource = Attributes;

/** The body of one export. */
export function encodeSpans(
  spans: readonly Span[],
  resource: Resource,
  scope: { name: string; version: string },
): string {
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: encodeAttributes(resource) }, scopeSpans: [{ scope, spans: spans.map(encodeSpan) }] },
    ],
  });
}

function encodeSpan(span: Span): Record<string, unknown> {
  const { traceId, spanId, parentSpanId, tracestate, flags, name, kind, startMs, endMs, attributes, link, isError } =
    span;
  return {
    traceId,
    spanId,
    ...(tracestate === undefined ? {} : { traceState: tracestate }),
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    flags,
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanosOf(startMs),
    endTimeUnixNano: nanosOf(endMs),
    attributes: encodeAttributes(attributes),
    ...(link === undefined ? {} : { links: [{ traceId: link.traceId, spanId: link.spanId }] }),
    status: isError ? { code: STATUS_ERROR } : {},
  };
}

/** A number of nanoseconds since 1970 is more than a double holds. */
function nanosOf(ms: number): string {
  return `${Math.floor(ms)}000000`;
}

function encodeAttributes(attributes: Attributes): { key: string; value: Record<string, unknown> }[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: encodeValue(value) }],
  );
}

function encodeValue(value: string | number | boolean): Record<string, unknown> {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

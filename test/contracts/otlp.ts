/**
 * The body of an OTLP/HTTP trace export, checked as strictly as the protocol is written: opentelemetry-proto's trace.proto,
 * common.proto and resource.proto in their JSON form. A member that the messages do not have is refused, and so is a value
 * that a collector would read as something else.
 */
import * as v from "valibot";

const MAX_UINT64 = 18_446_744_073_709_551_615n;

/** bytes of a fixed length, in lower-case hex (not base64: OTLP's one departure from Protobuf's JSON); not all zero. */
const id = (bytes: number) =>
  v.pipe(
    v.string(),
    v.regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`)),
    v.check((text) => !/^0+$/.test(text), "must not be all zero"),
  );
/** fixed64: a decimal string. */
const nanos = v.pipe(
  v.string(),
  v.regex(/^[1-9][0-9]*$/),
  v.check((text) => BigInt(text) <= MAX_UINT64, "must fit 64 bits"),
);
const uint32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4_294_967_295));
const int64 = v.pipe(v.string(), v.regex(/^-?[0-9]+$/));

const one = (count: number) =>
  v.check((value: object) => Object.keys(value).length === count, `must have ${count} member of the oneof`);
const AnyValue = v.pipe(
  v.strictObject({
    stringValue: v.optional(v.string()),
    boolValue: v.optional(v.boolean()),
    intValue: v.optional(int64),
    doubleValue: v.optional(v.number()),
  }),
  one(1),
);
const attributes = v.optional(
  v.pipe(
    v.array(v.strictObject({ key: v.pipe(v.string(), v.minLength(1)), value: AnyValue })),
    v.check((list) => new Set(list.map(({ key }) => key)).size === list.length, "keys must be unique"),
  ),
);
const Event = v.strictObject({
  timeUnixNano: nanos,
  name: v.pipe(v.string(), v.minLength(1)),
  attributes,
  droppedAttributesCount: v.optional(uint32),
});
const Link = v.strictObject({
  traceId: id(16),
  spanId: id(8),
  traceState: v.optional(v.string()),
  attributes,
  droppedAttributesCount: v.optional(uint32),
  flags: v.optional(uint32),
});
const SpanMessage = v.pipe(
  v.strictObject({
    traceId: id(16),
    spanId: id(8),
    traceState: v.optional(v.string()),
    // Empty, or absent, for a root.
    parentSpanId: v.optional(id(8)),
    flags: v.optional(v.pipe(uint32, v.maxValue(0xff, "the upper bits are reserved"))),
    name: v.pipe(v.string(), v.minLength(1)),
    // The number of the enum; 0 is not to be sent.
    kind: v.picklist([1, 2, 3, 4, 5]),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes,
    droppedAttributesCount: v.optional(uint32),
    events: v.optional(v.array(Event)),
    droppedEventsCount: v.optional(uint32),
    links: v.optional(v.array(Link)),
    droppedLinksCount: v.optional(uint32),
    status: v.optional(v.strictObject({ message: v.optional(v.string()), code: v.optional(v.picklist([0, 1, 2])) })),
  }),
  v.check(
    ({ startTimeUnixNano, endTimeUnixNano }) => BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano),
    "must end after it began",
  ),
);
const ExportTraceServiceRequest = v.strictObject({
  resourceSpans: v.array(
    v.strictObject({
      resource: v.optional(v.strictObject({ attributes, droppedAttributesCount: v.optional(uint32) })),
      scopeSpans: v.array(
        v.strictObject({
          scope: v.optional(
            v.strictObject({
              name: v.string(),
              version: v.optional(v.string()),
              attributes,
              droppedAttributesCount: v.optional(uint32),
            }),
          ),
          spans: v.array(SpanMessage),
          schemaUrl: v.optional(v.string()),
        }),
      ),
      schemaUrl: v.optional(v.string()),
    }),
  ),
});

export type OtlpSpan = v.InferOutput<typeof SpanMessage>;
export type OtlpExport = { resource: Record<string, unknown>; spans: OtlpSpan[] };

/** Throws for whatever is not OTLP. */
export function readOtlp(body: string): OtlpExport {
  const { resourceSpans } = v.parse(ExportTraceServiceRequest, JSON.parse(body));
  return {
    resource: attributesOf(resourceSpans[0]?.resource?.attributes),
    spans: resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  };
}

export function attributesOf(list: OtlpSpan["attributes"]): Record<string, unknown> {
  return Object.fromEntries((list ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));
}

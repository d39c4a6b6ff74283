/** What the steps of a call tell: counts to the meter, spans to the tracer. Where nobody wants either there is no such port. */
import type { Meter } from "./meter.ts";
import type { Tracer } from "./tracer.ts";

export type Telemetry = { meter: Meter | undefined; tracer: Tracer | undefined };

/** Which traces are kept: the samplers that OpenTelemetry names, decided once where a trace enters. */
import type { Traceparent } from "../core/trace.ts";
import { SAMPLED } from "../core/trace.ts";

export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** `parent`: what came with the request; undefined for a trace that begins here. */
export type Sampler = (traceId: string, parent: Traceparent | undefined) => boolean;

/** `ratio` counts for the two samplers that take one. */
export function createSampler(name: SamplerName, ratio: number): Sampler {
  const isParentBased = name.startsWith("parentbased_");
  const own = ownSampler(name.replace("parentbased_", ""), ratio);
  return (traceId, parent) => (isParentBased && parent !== undefined ? (parent.flags & SAMPLED) !== 0 : own(traceId));
}

/** The last 56 bits of a trace id are the random ones (W3C Trace Context 2); 52 of them are as many as a number holds. */
const RANDOM_FROM = 18;
const RANDOM_DIGITS = 13;

function ownSampler(name: string, ratio: number): (traceId: string) => boolean {
  if (name === "always_on") return () => true;
  if (name === "always_off") return () => false;
  // The same trace is kept or not by everybody with this ratio, and by all with a higher one.
  const from = (1 - ratio) * 16 ** RANDOM_DIGITS;
  return (traceId) => Number.parseInt(traceId.slice(RANDOM_FROM, RANDOM_FROM + RANDOM_DIGITS), 16) >= from;
}

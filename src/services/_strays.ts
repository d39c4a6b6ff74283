/** Replicas that a runner has and no service knows: they are stopped, a few at a time, for a runner may make up as many as it likes. */
import { STEP_DEFAULTS, STOP_MS_DEFAULT } from "../model/services.ts";
import type { GoneRow } from "./messages.ts";

/** So many of a service within that time; the others follow, for runners repeat what they say. */
export const STRAYS_AT_ONCE = 32;
export const STRAYS_MS = 10_000;

/** Deleted while its runner was away: what that brings back is stopped all the same. */
export function rowOfGone(name: string): GoneRow {
  return { name, stop_ms: STOP_MS_DEFAULT, operations: STEP_DEFAULTS, scopes: ["ops:invoke"] };
}

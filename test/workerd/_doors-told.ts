/** What the tests of doors say to a service's object, and hear from it. */
import type { AcquireOrder, HolderReport } from "../../src/services/messages.ts";

export type Direction = {
  /** From the first question until a replica is ready. */
  startMs?: number;
  /** So many questions are never answered. */
  lost?: number;
};
export type Told = { acquired: (AcquireOrder & { at: number })[]; reports: (HolderReport & { at: number })[] };

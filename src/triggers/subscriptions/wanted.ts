/**
 * Who wants to hear of the end of an execution, asked for each call that is kept and each that ends: from what the registry
 * has in memory, without a wait where nothing has changed.
 */
import { within } from "../../core/within.ts";
import type { Wanted } from "../../model/ended.ts";
import type { Caller } from "../../model/principal.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import { anyEnd, wantedEnds } from "./fits.ts";

type Subscriptions = readonly TriggerHandle<"subscription">[];
type Ports = {
  /** Without a wait; undefined: they have to be asked for. */
  known(): Subscriptions | undefined;
  subscriptions(): Promise<Subscriptions>;
  now(): number;
};
type Operation = { name: string; group: string };

/** How long a call waits for a registry that has not said yet, and how long it is then not asked again. */
const PATIENCE_MS = 250;

/** Never throws: in doubt every end is noted, and whoever is told of it asks again. */
export function createWanted(ports: Ports) {
  let failedAt = Number.NEGATIVE_INFINITY;

  const ask = async (operation: Operation, caller: Caller): Promise<Wanted | undefined> => {
    const since = ports.now() - failedAt;
    if (since < 0 || since >= PATIENCE_MS) {
      try {
        const found = await within(PATIENCE_MS, ports.subscriptions());
        if (found !== undefined) return wantedEnds(found.value, operation, caller);
      } catch {
        // The registry says elsewhere what is wrong with it.
      }
      failedAt = ports.now();
    }
    return anyEnd(operation.group);
  };

  return (operation: Operation, caller: Caller): Wanted | undefined | Promise<Wanted | undefined> => {
    const known = ports.known();
    return known === undefined ? ask(operation, caller) : wantedEnds(known, operation, caller);
  };
}

/** How many replicas a service is to have, of what, and where it stands when its machine does not know its state any more. Pure. */
import { sha256, canonicalJson } from "../core/hash.ts";
import { sortOf, type ServiceRow } from "../model/services.ts";
import type { StateMachine } from "../model/state-machines.ts";
import type { Head, Replica } from "./_kept.ts";
import type { ServiceSettings } from "./messages.ts";

export function bounded(count: number, { replicas, run }: Pick<ServiceRow, "replicas" | "run">): number {
  if (count <= 0) return 0;
  // What runs already is there once.
  if (sortOf({ run }) === "address") return 1;
  return Math.min(Math.max(count, replicas.min), Math.max(replicas.max, replicas.min));
}

export function wantedCount({ settings: { row, machine }, state, scaled, isGone }: Head): number {
  if (isGone || !row.active) return 0;
  return bounded(machine.states[state]?.replicas ?? scaled, row);
}

/** All of the row that decides how a replica behaves, and where it is. What is not here rolls nothing. */
export async function contentOf({ row, site }: Pick<ServiceSettings, "row" | "site">): Promise<string> {
  const { run, variables, secrets, port, requires, health } = row;
  const content = { run, variables, secrets, port, site, requires, path: health.path };
  return (await sha256(canonicalJson(content))).slice(0, 10);
}

export function revisionOf({ content, generation }: Pick<Head, "content" | "generation">): string {
  return generation === 0 ? content : `${content}-${generation}`;
}

/** `runs`: replicas are there. They are kept where a state wants any: whoever calls it must not notice an edit. */
export function stateInstead({ initial, states }: StateMachine, runs: boolean): string {
  if (!runs || states[initial]?.replicas !== 0) return initial;
  return Object.keys(states).find((name) => states[name]?.replicas !== 0) ?? initial;
}

/** When a start is given up. What starts it gives up before, and says more. */
export function startsUntil({ settings: { row } }: Head, { begunAt }: Pick<Replica, "begunAt">): number {
  return begunAt + row.health.start_ms + 15_000;
}

/** What the last look at an address was answered, of a replica that is being started there; undefined: nothing is known of it. */
export function lastLook(
  { settings: { row } }: Head,
  { phase, address, lines }: Pick<Replica, "phase" | "address" | "lines">,
): { address: string; answer: string } | undefined {
  const answer = lines.at(-1);
  if (sortOf(row) !== "address" || phase !== "starting" || address === null || answer === undefined) return undefined;
  return { address, answer };
}

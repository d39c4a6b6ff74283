/** Sets agents targets and follows them to the end of what they do about it: one, or a fleet. */
import { SwitchyardError, toErrorData } from "../../src/core/errors.ts";
import type { AgentPhase } from "../../src/model/agent-states.ts";
import type { Client } from "../client.ts";
import type { Context } from "../command.ts";
import { listEntries } from "../registry.ts";
import { askAgent, followAgent, type AgentEvent, type AgentSeekView } from "./api.ts";
import { pauseFor, WaitedFor } from "./waited-for.ts";

export type Wish = { target: unknown; cancel: boolean };
/** `unknown`: it could not be asked, or not be followed. `waiting`: for its row to be switched on. */
export type End = { name: string; phase: AgentPhase | "unknown"; reason: string | null };

const ENDS: ReadonlySet<string> = new Set<AgentPhase>(["reached", "unreachable", "failed", "stopped"]);

export function seekOne(client: Client, name: string, wish: Wish): Promise<AgentSeekView> {
  return askAgent<AgentSeekView>(client, name, "seek", wish);
}

/**
 * How it ended; `tell` hears of all that happens before. A target that replaces this one ends it, too, and so does a row that
 * says that the agent is to rest: nobody knows for how long. Throws entity_not_found when the agent is deleted.
 */
export async function followToEnd(
  client: Client,
  { name, seek, event, active }: AgentSeekView,
  tell: (event: AgentEvent) => void,
): Promise<End> {
  const resting: End = { name, phase: "waiting", reason: "its row says active: false" };
  if (!active) return resting;
  for await (const happened of followAgent(client, name, event)) {
    tell(happened);
    if (happened.type === "target" && Number(happened["seek"]) > seek) {
      return { name, phase: "stopped", reason: "it was set another target" };
    }
    const { phase, reason } = happened as unknown as { phase: AgentPhase; reason: string | null };
    if (happened.type !== "phase") continue;
    if (ENDS.has(phase)) return { name, phase, reason };
    if (phase === "waiting" && happened["active"] === false) return resting;
  }
  throw new SwitchyardError("unexpected_answer", `Cannot follow the agent "${name}": its events have ended`);
}

/** Agents whose names match: `*` is any part of a name. */
export async function matching(client: Client, pattern: string): Promise<string[]> {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  const names: string[] = [];
  for await (const { name } of listEntries(client, "agent")) if (expression.test(name)) names.push(name);
  if (names.length > 0) return names;
  throw new SwitchyardError(
    "entity_not_found",
    `Cannot find agents "${pattern}": at least one name must match; none does`,
    { hint: "opctl get agents" },
  );
}

/** `quietMs`: when nothing has happened for so long, it says what is waited for. */
export type FleetOptions = Wish & { canary: number; maxFailures: number; parallel: number; quietMs?: number };

const QUIET_MS = 10_000;
/** Agents at work that a line names. */
const NAMED = 5;

/**
 * The first `canary` go ahead and must all get there; then the rest, until too many have not. One that cannot be asked or
 * followed has not got there.
 */
export async function seekFleet(
  { client, output }: Pick<Context, "client" | "output">,
  names: readonly string[],
  { canary, maxFailures, parallel, quietMs = QUIET_MS, ...wish }: FleetOptions,
): Promise<{ ends: End[]; left: string[] }> {
  const ends: End[] = [];
  const under = new Set<string>();
  const failures = () => ends.filter(({ phase }) => phase !== "reached").length;
  const sum = (): string => {
    const more = under.size > NAMED ? ` and ${under.size - NAMED} more` : "";
    const at = under.size === 0 ? "" : `; at work: ${[...under].slice(0, NAMED).join(" ")}${more}`;
    return `${ends.length - failures()} of ${names.length} there, ${failures()} not${at}`;
  };
  const draw = (): void => output.live(sum());
  const over = new AbortController();
  let changed = false;
  const sayQuiet = async (): Promise<void> => {
    while (await pauseFor(quietMs, over.signal)) {
      if (!changed && !output.redraws) output.say(sum());
      changed = false;
    }
  };
  const one = async (name: string): Promise<void> => {
    under.add(name);
    draw();
    const ended = new AbortController();
    const waitedFor = new WaitedFor(client, name);
    void waitedFor.say((line) => output.say(`${name} ${line}`), ended.signal, quietMs);
    const end = await seekToEnd(client, name, { ...wish, tell: () => waitedFor.heard() }).finally(() => ended.abort());
    under.delete(name);
    changed = true;
    ends.push(end);
    output.say(
      `${name}: ${end.phase}${end.reason === null ? "" : `: ${end.reason}`}  (${ends.length} of ${names.length})`,
    );
    draw();
  };
  const rest = [...names];
  const work = async (from: string[], goesOn: () => boolean): Promise<void> => {
    for (let name = from.shift(); name !== undefined; name = goesOn() ? from.shift() : undefined) await one(name);
  };
  const together = (from: string[], goesOn: () => boolean) =>
    Promise.all(Array.from({ length: Math.min(parallel, from.length) }, () => work(from, goesOn)));
  if (!output.redraws) output.say(sum());
  void sayQuiet();
  try {
    await together(rest.splice(0, canary), () => true);
    if (canary === 0 || failures() === 0) await together(rest, () => failures() <= maxFailures);
  } finally {
    over.abort();
    output.live(undefined);
  }
  return { ends, left: rest };
}

async function seekToEnd(client: Client, name: string, { tell, ...wish }: Wish & { tell: () => void }): Promise<End> {
  try {
    return await followToEnd(client, await seekOne(client, name, wish), tell);
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    const { code, detail } = toErrorData(error);
    return { name, phase: "unknown", reason: `${code}: ${detail}` };
  }
}

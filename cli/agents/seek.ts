/** Sets agents targets and follows them to the end of what they do about it: one, or a fleet. */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { AgentPhase } from "../../src/model/agent-states.ts";
import type { Client } from "../client.ts";
import type { Context } from "../command.ts";
import { listEntries } from "../registry.ts";
import { askAgent, followAgent, type AgentSeekView } from "./api.ts";
import { lineOf } from "./lines.ts";

export type Wish = { target: unknown; cancel: boolean };
export type End = { name: string; phase: AgentPhase; reason: string | null };

const ENDS: ReadonlySet<string> = new Set<AgentPhase>(["reached", "unreachable", "failed", "stopped"]);

export function seekOne(client: Client, name: string, wish: Wish): Promise<AgentSeekView> {
  return askAgent<AgentSeekView>(client, name, "seek", wish);
}

/** How it ended; `tell` hears of all that happens before. A target that replaces this one ends it, too. */
export async function followToEnd(
  client: Client,
  { name, seek, event }: AgentSeekView,
  tell: (line: string) => void,
): Promise<End> {
  for await (const happened of followAgent(client, name, event)) {
    const line = lineOf(happened);
    if (line !== undefined) tell(line);
    if (happened.type === "target" && Number(happened["seek"]) > seek) {
      return { name, phase: "stopped", reason: "it was set another target" };
    }
    const { phase, reason } = happened as unknown as { phase: AgentPhase; reason: string | null };
    if (happened.type === "phase" && ENDS.has(phase)) return { name, phase, reason };
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

export type FleetOptions = Wish & { canary: number; maxFailures: number; parallel: number };

/** The first `canary` go ahead and must all get there; then the rest, until too many have not. */
export async function seekFleet(
  { client, output }: Pick<Context, "client" | "output">,
  names: readonly string[],
  { canary, maxFailures, parallel, ...wish }: FleetOptions,
): Promise<{ ends: End[]; left: string[] }> {
  const ends: End[] = [];
  const failures = () => ends.filter(({ phase }) => phase !== "reached").length;
  const one = async (name: string): Promise<void> => {
    const end = await seekOne(client, name, wish).then((seek) => followToEnd(client, seek, () => undefined));
    ends.push(end);
    output.say(
      `${name}: ${end.phase}${end.reason === null ? "" : `: ${end.reason}`}  (${ends.length} of ${names.length})`,
    );
  };
  await Promise.all(names.slice(0, canary).map(one));
  if (failures() > 0 && canary > 0) return { ends, left: names.slice(canary) };
  const rest = names.slice(canary);
  const worker = async (): Promise<void> => {
    for (let name = next(); name !== undefined; name = next()) await one(name);
  };
  const next = (): string | undefined => (failures() > maxFailures ? undefined : rest.shift());
  await Promise.all(Array.from({ length: Math.min(parallel, rest.length) }, worker));
  return { ends, left: rest };
}

/** What an agent is at, beside what its row says: its phase, target, state, plan, and what it started last. */
import { eachAtOnce } from "../at-once.ts";
import type { Client } from "../client.ts";
import type { Entry } from "../registry.ts";
import { readStatus, type AgentStatusView } from "./api.ts";

/** Of one agent; a list has less of each. */
export const AGENT_COLUMNS = ["name", "active", "phase", "target", "state", "plan", "last_run", "last_status"] as const;

/** Adds to its meta data: phase, reason, target, state, plan (how much of it is done), last_run (an execution), last_status, last_at. */
export async function withStatus(client: Client, entry: Entry): Promise<Entry> {
  const status = await readStatus(client, entry.name);
  const { phase, reason, target, state, plan } = status;
  const told = { phase, reason, target, state, plan: planText(plan), ...lastOf(plan) };
  return { ...entry, meta: { ...entry.meta, ...told } };
}

/** As withStatus(), of each; where that cannot be told, the reason of it. */
export function withStatuses(client: Client, entries: readonly Entry[]): Promise<Entry[]> {
  return eachAtOnce(entries, async (entry) => {
    try {
      return await withStatus(client, entry);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ...entry, meta: { ...entry.meta, ...UNKNOWN, reason } };
    }
  });
}

const UNKNOWN = {
  phase: null,
  target: null,
  state: null,
  plan: null,
  last_run: null,
  last_status: null,
  last_at: null,
};

function planText(plan: AgentStatusView["plan"]): string | null {
  if (plan === null) return null;
  const done = plan.steps.filter(({ status }) => status === "succeeded").length;
  return `${plan.number}: ${done} of ${plan.steps.length} done`;
}

function lastOf(plan: AgentStatusView["plan"]): Record<"last_run" | "last_status" | "last_at", string | null> {
  const started = (plan?.steps ?? []).filter(({ execution_id: id }) => id !== null);
  const [last] = started.toSorted((a, b) => (b.started_at ?? "").localeCompare(a.started_at ?? "") || b.id - a.id);
  return {
    last_run: last?.execution_id ?? null,
    last_status: last?.status ?? null,
    last_at: last?.ended_at ?? last?.started_at ?? null,
  };
}

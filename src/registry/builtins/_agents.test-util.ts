/** Agents that nobody has set a target, for tests of what has nothing to do with them. */
import type { AgentPorts, AgentStatusView } from "./agent-functions.ts";

const status = async ({ name }: { name: string }): Promise<AgentStatusView> => ({
  name,
  active: true,
  phase: "idle",
  reason: null,
  since: null,
  next_at: null,
  target: null,
  state: {},
  seek: 0,
  failures: 0,
  unmet: [],
  plan: null,
  event: 0,
});

export const IDLE_AGENTS: AgentPorts["agents"] = {
  status,
  stop: status,
  sense: status,
  seek: async ({ name }) => ({ name, seek: 1, event: 1, active: true }),
  plan: async () => ({
    reached: true,
    steps: [],
    makespan: 0,
    unmet: [],
    bound: null,
    notes: [],
    sentences: ["Nothing is to be done."],
    mermaid: "graph LR",
  }),
};

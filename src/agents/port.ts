/** What the edge can do with agents beside their built-in functions. Implemented by agents.ts. */

/** One thing that happened to an agent: its target, plan, steps, state, phase. */
export type AgentEvent = { seq: number; at: number; type: string; [key: string]: unknown };

export interface AgentWatch {
  /** Events after the one; waits for the next where there are none. None before its time: the agent was deleted. */
  watch(name: string, options: { after: number; waitMs: number }): Promise<AgentEvent[]>;
}

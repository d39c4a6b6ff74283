/** What an agent's object has done elsewhere, in stateless invocations: texts are JSON, see messages.ts. */
import type { PlanOrder, SenseOrder, StepOrder } from "./messages.ts";
import { planFor, senseFor } from "./plan-order.ts";
import { agentRow, settingsOf } from "./rows.ts";
import { runSteps, type RunPorts } from "./run-steps.ts";

export type AgentRunnerPorts = RunPorts & {
  took(agent: string, text: string): Promise<void>;
  executions: { cancel(id: string): Promise<unknown> };
};

export async function lookFor(agent: string, ports: AgentRunnerPorts): Promise<string> {
  const row = await agentRow(agent, ports.registry);
  return JSON.stringify({ settings: row === undefined ? null : settingsOf(row) });
}

export async function planText(text: string, ports: AgentRunnerPorts): Promise<string> {
  return JSON.stringify(await planFor(JSON.parse(text) as PlanOrder, ports));
}

export async function senseText(text: string, ports: AgentRunnerPorts): Promise<string> {
  return JSON.stringify(await senseFor(JSON.parse(text) as SenseOrder, ports));
}

export async function runText(agent: string, text: string, ports: AgentRunnerPorts): Promise<void> {
  await runSteps(JSON.parse(text) as StepOrder[], ports, (answer) => ports.took(agent, JSON.stringify(answer)));
}

/** One that has ended meanwhile is no failure. */
export async function cancelAll(text: string, { executions }: AgentRunnerPorts): Promise<void> {
  await Promise.allSettled((JSON.parse(text) as string[]).map((id) => executions.cancel(id)));
}

/** Agents over HTTP: what they are at, what is wanted of them, and what happens to them as it happens. */
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseJsonText } from "../../src/core/json.ts";
import type {
  AgentDirectedView,
  AgentPlanView,
  AgentSeekView,
  AgentStatusView,
} from "../../src/registry/builtins/agent-functions.ts";
import { parseAnswer, type Client } from "../client.ts";
import { followEvents } from "../follow-events.ts";

export type { AgentDirectedView, AgentPlanView, AgentSeekView, AgentStatusView };
export type AgentEvent = { type: string; seq: number; at: number; [key: string]: unknown };

function routeOf(name: string, what: string): string {
  return `/agents/${encodeURIComponent(name)}/${what}`;
}

export async function readStatus(client: Client, name: string): Promise<AgentStatusView> {
  return parseAnswer(await client.request("GET", routeOf(name, "status"))) as AgentStatusView;
}

export async function askAgent<T>(client: Client, name: string, what: string, body: object): Promise<T> {
  return parseAnswer(await client.request("POST", routeOf(name, what), { body: JSON.stringify(body) })) as T;
}

export function followAgent(client: Client, name: string, from: number): AsyncGenerator<AgentEvent> {
  return followEvents<AgentEvent>(client, routeOf(name, "events"), from);
}

export function parseTarget(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (cause) {
    throw new SwitchyardError(
      "usage",
      `Cannot read --target "${text.slice(0, 100)}": it must be JSON; ${cause instanceof Error ? cause.message : "it is not"}`,
      { hint: `such as --target '{"counters": {"a": 3}}'`, cause },
    );
  }
}

/** Agents over HTTP: what they are at, what is wanted of them, and what happens to them as it happens. */
import { setTimeout as pause } from "node:timers/promises";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseJsonText } from "../../src/core/json.ts";
import type { AgentPlanView, AgentSeekView, AgentStatusView } from "../../src/registry/builtins/agent-functions.ts";
import { parseAnswer, type Client } from "../client.ts";
import { createPatience } from "../executions/patience.ts";
import { readEvents } from "../executions/server-sent-events.ts";

export type { AgentPlanView, AgentSeekView, AgentStatusView };
export type AgentEvent = { type: string; seq: number; at: number; [key: string]: unknown };

/** Before a stream is asked for again that the platform ended. */
const ENDED_MS = 500;

function routeOf(name: string, what: string): string {
  return `/agents/${encodeURIComponent(name)}/${what}`;
}

export async function readStatus(client: Client, name: string): Promise<AgentStatusView> {
  return parseAnswer(await client.request("GET", routeOf(name, "status"))) as AgentStatusView;
}

export async function askAgent<T>(client: Client, name: string, what: string, body: object): Promise<T> {
  return parseAnswer(await client.request("POST", routeOf(name, what), { body: JSON.stringify(body) })) as T;
}

/** Without an end. A connection that breaks, a platform that restarts: it is asked again from behind the last event. */
export async function* followAgent(client: Client, name: string, from: number): AsyncGenerator<AgentEvent> {
  const patience = createPatience();
  for (let after = from; ;) {
    try {
      const response = await client.open("GET", `${routeOf(name, "events")}?after=${after}`, {
        headers: { accept: "text/event-stream" },
      });
      if (response.body === null) return;
      for await (const { event, data } of readEvents(response.body)) {
        patience.restore();
        const happened = { ...(parseAnswer({ text: data }) as AgentEvent), type: event };
        after = happened.seq;
        yield happened;
      }
      await pause(ENDED_MS);
    } catch (error) {
      await pause(patience.afterFailure(error));
    }
  }
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

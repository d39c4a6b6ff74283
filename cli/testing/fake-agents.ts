/**
 * Agents of a platform in memory, behind opctl's client: a test writes down what each connection for events tells, and how it
 * ends. Nothing plans; what is asked of agents is kept.
 */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { AgentEvent } from "../agents/api.ts";
import type { Client } from "../client.ts";

/** What happens, and how the connection ends: `end` as when the platform closes it, `cut` in the middle of an event. */
type Connection = { events: readonly Partial<AgentEvent>[]; last: "end" | "cut" } | SwitchyardError;

export class FakeAgents {
  /** Lines for whoever waits. */
  readonly told: string[] = [];
  /** By agent: one connection after another; when there are no more the agent is gone. */
  readonly connections = new Map<string, Connection[]>();
  readonly paused = new Set<string>();
  /** `edge-1 seek`, in order. */
  readonly asked: string[] = [];
  /** `after` of each connection, in order. */
  readonly after: number[] = [];
  /** What each is at, by name. */
  readonly statuses = new Map<string, object>();
  /** Runs before an agent's events are told. */
  onFollow: (name: string) => void | Promise<void> = () => undefined;
  /** Runs when an agent is set a target. */
  onSeek: (name: string) => void | Promise<void> = () => undefined;

  /** Each of these in one connection that ends with the last, numbered from 1 on. */
  follow(name: string, ...events: Partial<AgentEvent>[]): void {
    this.connections.set(name, [{ events: numbered(events), last: "end" }]);
  }

  get client(): Client {
    return {
      credentials: { url: "http://127.0.0.1:1", token: "sy_test" },
      tell: (text) => void this.told.push(text),
      request: async (method, route) => {
        const [, kind, name = "", what = ""] = route.split("?")[0]?.split("/").map(decodeURIComponent) ?? [];
        this.asked.push(`${name} ${what || method}`);
        if (kind === "registry") return answer({ items: [...this.connections.keys()].map(entryOf), next_cursor: null });
        if (!this.connections.has(name)) throw gone(name);
        if (what === "status") return answer(this.statuses.get(name));
        await this.onSeek(name);
        return answer({ name, seek: 1, event: 0, active: !this.paused.has(name) });
      },
      open: async (_method, route) => {
        const url = new URL(route, "http://127.0.0.1");
        const name = decodeURIComponent(url.pathname.split("/")[2] ?? "");
        await this.onFollow(name);
        this.after.push(Number(url.searchParams.get("after")));
        const next = this.connections.get(name)?.shift();
        if (next === undefined) throw gone(name);
        if (next instanceof SwitchyardError) throw next;
        return new Response(bodyOf(next), { headers: { "content-type": "text/event-stream" } });
      },
    };
  }
}

export function numbered(events: readonly Partial<AgentEvent>[], from = 1): Partial<AgentEvent>[] {
  return events.map((event, at) => ({ seq: from + at, at: 0, ...event }));
}

export function phase(name: string, reason: string | null = null, active = true): Partial<AgentEvent> {
  return { type: "phase", phase: name, reason, active };
}

function bodyOf({ events, last }: { events: readonly Partial<AgentEvent>[]; last: "end" | "cut" }): ReadableStream {
  const texts = events.map(({ type, ...event }) => `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const text = texts.shift();
      if (text !== undefined) return controller.enqueue(new TextEncoder().encode(text));
      if (last === "cut") controller.error(new TypeError("terminated"));
      else controller.close();
    },
  });
}

function gone(name: string): SwitchyardError {
  return new SwitchyardError("entity_not_found", `Cannot find the agent "${name}": it must be registered`);
}

function answer(value: unknown): Awaited<ReturnType<Client["request"]>> {
  return { status: 200, headers: new Headers(), text: JSON.stringify(value) };
}

function entryOf(name: string): object {
  return { name, meta: { revision: 1, digest: "d" } };
}

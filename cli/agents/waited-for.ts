/** What an agent waits for while nothing is heard of it: its steps under way, and the attempts of their executions, of which it tells nothing. */
import { setTimeout as pause } from "node:timers/promises";
import type { ExecutionView } from "../../src/model/execution.ts";
import type { Client } from "../client.ts";
import { readExecution } from "../executions/api.ts";
import { readStatus, type AgentDirectedView, type AgentStatusView } from "./api.ts";

/** Steps of one agent that are looked at. */
const MOST_STEPS = 5;
/** Nothing was heard for so long. */
const QUIET_MS = 5_000;

type Plan = AgentDirectedView["plan"];
/** By the id of the step: `queued, attempt 2, next attempt 2026-11-29T18:10:22.000Z, service_crash_looping: Cannot …`. */
export type Attempts = ReadonlyMap<number, string>;

/** Of the first steps under way; of what may not be looked at, nothing. */
export async function attemptsOf(client: Client, plan: Plan): Promise<Attempts> {
  const found = await Promise.all(
    startedOf(plan).map(async ({ id, execution_id: execution }): Promise<[number, string][]> => {
      if (execution === null) return [];
      try {
        return [[id, attemptText(await readExecution(client, execution))]];
      } catch {
        return [];
      }
    }),
  );
  return new Map(found.flat());
}

function startedOf(plan: Plan) {
  return (plan?.steps ?? []).filter(({ status }) => status === "started").slice(0, MOST_STEPS);
}

function attemptText({ status, attempt, attempts, error, next_attempt_at: next }: ExecutionView): string {
  const last = error ?? attempts.at(-1)?.error ?? null;
  const parts: string[] = [status];
  if (attempt > 0) parts.push(`attempt ${attempt}`);
  if (next !== null) parts.push(`next attempt ${next}`);
  if (last !== null) parts.push(`${last.code}: ${last.detail}`);
  return parts.join(", ");
}

/** Lines that say it, for who follows an agent: asked for again and again while nothing is heard of it. */
export class WaitedFor {
  readonly #client: Client;
  readonly #name: string;
  #heardAt = Date.now();
  /** As it was since something was heard last. */
  #status: AgentStatusView | undefined;

  constructor(client: Client, name: string) {
    this.#client = client;
    this.#name = name;
  }

  heard(): void {
    this.#heardAt = Date.now();
    this.#status = undefined;
  }

  /** What it waits for: a line a step, or one for the time when it tries again. */
  async lines(): Promise<string[]> {
    this.#status ??= await readStatus(this.#client, this.#name);
    const { plan, phase, reason, next_at: next } = this.#status;
    const started = startedOf(plan);
    if (started.length === 0 && next !== null) return [`waits until ${next}: ${reason ?? phase}`];
    const attempts = await attemptsOf(this.#client, plan);
    // An execution is known a moment after its step has started, and nothing is heard of that.
    if (started.some(({ execution_id: id }) => id === null)) this.#status = undefined;
    return started.map(({ id, description, execution_id: execution }) => {
      const attempt = attempts.get(id);
      return `waits for ${id + 1}. ${description}${execution === null ? "" : `  ${execution}`}${attempt === undefined ? "" : `: ${attempt}`}`;
    });
  }

  /** Says each line once, until the signal; what cannot be asked is asked again. */
  async say(say: (line: string) => void, signal: AbortSignal, quietMs = QUIET_MS): Promise<void> {
    const said = new Set<string>();
    while (await pauseFor(quietMs, signal)) {
      if (Date.now() - this.#heardAt < quietMs) continue;
      const lines = await this.lines().catch(() => []);
      if (signal.aborted) return;
      for (const line of lines) if (!said.has(line)) say(line);
      for (const line of lines) said.add(line);
    }
  }
}

/** Whether it was let end. */
export function pauseFor(ms: number, signal: AbortSignal): Promise<boolean> {
  return pause(ms, undefined, { signal, ref: false }).then(
    () => true,
    () => false,
  );
}

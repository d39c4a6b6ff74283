/** Services over HTTP: what they are at, what is wanted of them, and what happens to them as it happens. */
import { setTimeout as pause } from "node:timers/promises";
import type { ServiceStatusView } from "../../src/registry/builtins/service-functions.ts";
import { parseAnswer, type Client } from "../client.ts";
import { createPatience } from "../executions/patience.ts";

export type { ServiceStatusView };
export type ServiceEvent = ServiceStatusView["events"][number];
export type ServiceCommand = "deploy" | "undeploy" | "restart" | "scale";

/** Between two looks at what has happened. */
const LOOK_MS = 500;

function routeOf(name: string, what: string): string {
  return `/services/${encodeURIComponent(name)}/${what}`;
}

export async function readStatus(client: Client, name: string): Promise<ServiceStatusView> {
  return parseAnswer(await client.request("GET", routeOf(name, "status"))) as ServiceStatusView;
}

/** `replicas` only for scale. */
export async function commandService(
  client: Client,
  name: string,
  { command, replicas }: { command: ServiceCommand; replicas?: number },
): Promise<ServiceStatusView> {
  const body = replicas === undefined ? {} : { body: JSON.stringify({ replicas }) };
  return parseAnswer(await client.request("POST", routeOf(name, command), body)) as ServiceStatusView;
}

/**
 * What it is at, again and again, each with the events that have come since the look before. Without an end; a platform that
 * restarts is waited out.
 */
export async function* lookAt(
  client: Client,
  name: string,
  after: number,
): AsyncGenerator<{ status: ServiceStatusView; events: readonly ServiceEvent[] }> {
  const patience = createPatience();
  for (let known = after; ;) {
    let status: ServiceStatusView;
    try {
      status = await readStatus(client, name);
      patience.restore();
    } catch (error) {
      await pause(patience.afterFailure(error));
      continue;
    }
    const events = status.events.filter(({ seq }) => seq > known).toSorted((a, b) => a.seq - b.seq);
    known = events.at(-1)?.seq ?? known;
    yield { status, events };
    await pause(LOOK_MS);
  }
}

export function lastSeq({ events }: ServiceStatusView): number {
  return Math.max(0, ...events.map(({ seq }) => seq));
}

/** Services over HTTP: what they are at, what is wanted of them, and what happens to them as it happens. */
import { setTimeout as pause } from "node:timers/promises";
import { SwitchyardError } from "../../src/core/errors.ts";
import type {
  ServiceDirectedView,
  ServiceProgressView,
  ServiceStatusView,
} from "../../src/registry/builtins/service-functions.ts";
import { parseAnswer, type Client } from "../client.ts";
import { createPatience } from "../executions/patience.ts";
import { followEvents } from "../follow-events.ts";

export type { ServiceProgressView, ServiceStatusView };
/** With the details, where the token may look at services. */
export type ServiceSeen = ServiceProgressView | ServiceStatusView;
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

/** As much as the token may see. Whoever directs a service need not be one who may look at it. */
export async function readSeen(client: Client, name: string): Promise<ServiceSeen> {
  try {
    return await readStatus(client, name);
  } catch (error) {
    if (!(error instanceof SwitchyardError) || error.code !== "forbidden") throw error;
    return readProgress(client, name);
  }
}

async function readProgress(client: Client, name: string): Promise<ServiceProgressView> {
  return parseAnswer(await client.request("GET", routeOf(name, "progress"))) as ServiceProgressView;
}

export function isWhole(seen: ServiceDirectedView): seen is ServiceStatusView {
  return seen.replicas !== undefined;
}

/** `replicas` only for scale. */
export async function commandService(
  client: Client,
  name: string,
  { command, replicas }: { command: ServiceCommand; replicas?: number },
): Promise<ServiceSeen> {
  const body = replicas === undefined ? {} : { body: JSON.stringify({ replicas }) };
  return parseAnswer(await client.request("POST", routeOf(name, command), body)) as ServiceSeen;
}

/**
 * What it is at, again and again, each with the events that have come since the look before. Without an end; a platform that
 * restarts is waited out.
 */
export async function* lookAt(
  client: Client,
  name: string,
  after: number,
): AsyncGenerator<{ status: ServiceSeen; events: readonly ServiceEvent[] }> {
  const patience = createPatience(client);
  let read: typeof readSeen = readSeen;
  for (let known = after; ;) {
    let status: ServiceSeen;
    try {
      status = await read(client, name);
      patience.restore();
    } catch (error) {
      await pause(patience.afterFailure(error));
      continue;
    }
    if (!isWhole(status)) read = readProgress;
    const all = isWhole(status) ? status.events : [];
    const events = all.filter(({ seq }) => seq > known).toSorted((a, b) => a.seq - b.seq);
    known = events.at(-1)?.seq ?? known;
    yield { status, events };
    await pause(LOOK_MS);
  }
}

export function followService(
  client: Client,
  name: string,
  from: number,
): AsyncGenerator<ServiceEvent & { type: string }> {
  return followEvents<ServiceEvent>(client, routeOf(name, "events"), from);
}

export function lastSeq(seen: ServiceSeen): number {
  return isWhole(seen) ? Math.max(0, ...seen.events.map(({ seq }) => seq)) : 0;
}

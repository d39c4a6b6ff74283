/** Looks at services of ECS that are sets: what runs, who it is, and how well it is. Changes nothing. */
import type { ReplicaReport, ReplicaSpec } from "../../model/services.ts";
import type { AdapterPorts } from "../adapter.ts";
import { unwellness } from "../http/health.ts";
import { reportOf, setNames } from "../service-place.ts";
import type { FargateConfig } from "./config.ts";
import type { EcsCall } from "./ecs-api.ts";
import {
  addressOf,
  identityOf,
  isRunning,
  linesOf,
  standingOfService,
  type EcsService,
  type EcsServiceTask,
  type EcsStanding,
  type Identity,
  type TaskDefinition,
} from "./ecs-set.ts";

/** Of one answer, by ECS's own limits. */
const TASKS = 100;
const SERVICES = 10;
/** More tasks than that are not asked one by one: one that runs counts as well. */
const PROBED = 20;
const KEPT = 200;

type Ports = Pick<AdapterPorts, "fetchOn" | "now" | "sleep">;
type Health = ReplicaSpec["health"];
/** In one environment. */
export type Place = {
  name: string;
  config: FargateConfig;
  ecs: EcsCall;
  ports: Ports;
  identities: Map<string, Identity>;
};
/** `wanted`: the revision that ECS has been told last, or has gone back to by itself. */
export type Seen = { report: ReplicaReport; standing: EcsStanding; wanted: string | undefined };

export async function setsOf(service: string, { ecs, config: { cluster } }: Place): Promise<string[]> {
  const { prefix } = await setNames(service);
  const names: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ecs<{ serviceArns?: string[]; nextToken?: string }>("ListServices", {
      cluster,
      maxResults: TASKS,
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    names.push(...(page.serviceArns ?? []).map((arn) => arn.split("/").at(-1) ?? ""));
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  return names.filter((name) => name.startsWith(`${prefix}-`));
}

export async function describeSets(
  sets: readonly string[],
  { ecs, config: { cluster } }: Place,
): Promise<EcsService[]> {
  const found: EcsService[] = [];
  for (let from = 0; from < sets.length; from += SERVICES) {
    const body = { cluster, services: sets.slice(from, from + SERVICES) };
    found.push(...((await ecs<{ services?: EcsService[] }>("DescribeServices", body)).services ?? []));
  }
  return found;
}

export async function identityAt(arn: string | undefined, { ecs, identities }: Place): Promise<Identity | undefined> {
  if (arn === undefined) return undefined;
  const known = identities.get(arn);
  if (known !== undefined) return known;
  const { taskDefinition = {} } = await ecs<{ taskDefinition?: TaskDefinition }>("DescribeTaskDefinition", {
    taskDefinition: arn,
  });
  const identity = identityOf(taskDefinition);
  if (identities.size >= KEPT) identities.clear();
  if (identity !== undefined) identities.set(arn, identity);
  return identity;
}

export async function tasksOf(
  set: string,
  { desiredStatus, place: { ecs, config } }: { desiredStatus: "RUNNING" | "STOPPED"; place: Place },
): Promise<EcsServiceTask[]> {
  const { cluster } = config;
  const { taskArns = [] } = await ecs<{ taskArns?: string[] }>("ListTasks", {
    cluster,
    serviceName: set,
    desiredStatus,
  });
  if (taskArns.length === 0) return [];
  const body = { cluster, tasks: taskArns.slice(0, TASKS) };
  return (await ecs<{ tasks?: EcsServiceTask[] }>("DescribeTasks", body)).tasks ?? [];
}

export async function look(
  service: EcsService,
  { health, place }: { health: Health | undefined; place: Place },
): Promise<Seen> {
  const { config } = place;
  const standing = standingOfService(service);
  const newest = await identityAt(service.taskDefinition, place);
  const name = newest?.service ?? "";
  const base = { service: name, replica: newest?.replica ?? "", count: service.desiredCount ?? 0 };
  const probe = async (address: string): Promise<string | undefined> =>
    unwellness(address, { health, send: place.ports.fetchOn(networkOf(config)) });
  if (config.service_url !== undefined) {
    const address = config.service_url.replaceAll("{service}", name.replaceAll(/[^a-z0-9-]+/g, "-"));
    const running = service.runningCount ?? 0;
    const unwell = running === 0 ? undefined : await probe(address);
    const ready = unwell === undefined ? running : 0;
    const lines = unwell === undefined ? linesOf(service) : [unwell, ...linesOf(service)];
    const status = statusOf(standing, ready);
    const revision = newest?.revision ?? "";
    return {
      standing,
      wanted: newest?.revision,
      report: reportOf({ ...base, revision, status, address, ready, lines }),
    };
  }
  const running = (await tasksOf(service.serviceName ?? "", { desiredStatus: "RUNNING", place })).filter(isRunning);
  const judged = await Promise.all(
    running.map(async (task, index) => {
      const identity = await identityAt(task.taskDefinitionArn, place);
      const address = addressOf(task, identity?.port ?? newest?.port ?? 0);
      const isJudged = task.healthStatus === "HEALTHY" || task.healthStatus === "UNHEALTHY";
      let unwell = task.healthStatus === "UNHEALTHY" ? "ECS finds it UNHEALTHY" : undefined;
      if (address === undefined) unwell = "its task has no address";
      else if (!isJudged && index < PROBED) unwell = await probe(address);
      return { address, unwell, revision: identity?.revision ?? "" };
    }),
  );
  const well = judged.filter(({ unwell }) => unwell === undefined);
  const first = well.find(({ revision }) => revision === newest?.revision) ?? well[0];
  const unwell = judged.flatMap(({ unwell: why }) => (why === undefined ? [] : [why]));
  return {
    standing,
    wanted: newest?.revision,
    report: reportOf({
      ...base,
      revision: first?.revision ?? newest?.revision ?? "",
      status: statusOf(standing, well.length),
      address: first?.address ?? null,
      ready: well.length,
      lines: [...unwell.slice(0, 1), ...linesOf(service)],
    }),
  };
}

function statusOf({ kind }: EcsStanding, ready: number): ReplicaReport["status"] {
  if (ready > 0) return "ready";
  return kind === "settled" || kind === "hopeless" ? "unready" : "starting";
}

export function networkOf({ service_network: own, network }: FargateConfig): "public" | "private" {
  return own ?? network;
}

/**
 * Services on ECS: each set is an ECS service, which keeps as many tasks as it is told, rolls them and replaces them. Requests go to the
 * row's `service_url`, else to the first task that is well: ECS itself carries none. What never becomes ready is taken away
 * again, unless tasks of the revision before still serve: those stay, and the step fails.
 */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { ReplicaReport } from "../../model/services.ts";
import type { EnvironmentHandle } from "../adapter.ts";
import type { ReplicaRef, ServiceHost, StartOrder } from "../service-host.ts";
import { containerOf, lookUntil, notRolled, orRefused, portOf, reportOf, setNames } from "../service-place.ts";
import { notSent, sendToService, urlUnder } from "../service-send.ts";
import { FargateConfigSchema, PLACED_BY } from "./config.ts";
import { ecsApi, EcsRefusal, type EcsCall } from "./ecs-api.ts";
import { describeSets, identityAt, look, networkOf, setsOf, tasksOf, type Place, type Seen } from "./ecs-look.ts";
import {
  definitionOf,
  linesOf,
  ROLLING,
  serviceBody,
  type EcsService,
  type Identity,
  type TaskDefinition,
} from "./ecs-set.ts";
import { outcomeOfRefusal } from "./refusals.ts";

const LOOK_MS = 2_000;
/** What ECS takes for deleting, beyond the tasks' own time. */
const DELETE_MS = 3 * 60_000;
/** Times in a row that ECS may not answer while a start is waited for. */
const LOST_LOOKS = 5;
/** Of one request, by ECS's own limit. */
const DEFINITIONS = 10;

type Ports = Place["ports"];

export function ecsServices(ports: Ports): ServiceHost {
  // A task definition never changes.
  const identities = new Map<string, Identity>();
  const at = async <T>(environment: EnvironmentHandle, work: (place: Place) => Promise<T>): Promise<T> => {
    const { name } = environment;
    const config = v.parse(FargateConfigSchema, environment.config);
    return orRefused(work({ name, config, ecs: ecsApi(config, environment, ports), ports, identities }), {
      name,
      refusal: (thrown) => (thrown instanceof EcsRefusal ? outcomeOfRefusal(thrown, name) : undefined),
    });
  };
  return {
    unit: "set",
    runs: ["container"],
    placedBy: PLACED_BY,
    async start(order, environment) {
      const container = containerOf(order, environment);
      return at(environment, (place) => startSet(order, { place, ...container }));
    },
    stop: (replica, environment) => at(environment, (place) => stopSet(replica, place)),
    observe: (of, environment) => at(environment, (place) => observeSets(of, place)),

    async send({ address }, request, environment) {
      if (address === null) return notSent("none of its tasks has an address yet");
      const config = v.parse(FargateConfigSchema, environment.config);
      const send = ports.fetchOn(networkOf(config));
      return sendToService(request, () => ({ url: urlUnder(address, request.path), send }));
    },
  };
}

type Start = { place: Place; image: string; command: readonly string[] | null };

async function startSet(order: StartOrder, { place, image, command }: Start): Promise<ReplicaReport> {
  const { config, ecs } = place;
  const { service, replica, count, revision, spec } = order;
  const { set } = await setNames(service, replica);
  const register = async (): Promise<string> => {
    const { taskDefinition: template = {} } = await ecs<{ taskDefinition?: TaskDefinition }>("DescribeTaskDefinition", {
      taskDefinition: config.task_definition,
    });
    const body = definitionOf(order, config, { set, template, image, command });
    if (body === undefined) {
      const detail = `Cannot run the service "${service}" in "${place.name}": "${config.task_definition}" must have the container "${config.container}"; it has none of that name`;
      throw new SwitchyardError("environment_misconfigured", detail);
    }
    const { taskDefinition } = await ecs<{ taskDefinition?: TaskDefinition }>("RegisterTaskDefinition", body);
    return taskDefinition?.taskDefinitionArn ?? set;
  };
  const found = await serviceNamed(set, place);
  if (found === undefined) {
    const taskDefinition = await register();
    try {
      await ecs("CreateService", serviceBody(config, { set, taskDefinition, count, port: portOf(spec) }));
    } catch (thrown) {
      // Somebody has made it meanwhile, for the same step.
      if (!(thrown instanceof EcsRefusal) || !/idempotent|already exists/i.test(thrown.message)) throw thrown;
    }
  } else {
    const has = await identityAt(found.taskDefinition, place);
    const rolls = has?.revision !== revision;
    if (rolls || found.desiredCount !== count) {
      await ecs("UpdateService", {
        cluster: config.cluster,
        service: set,
        desiredCount: count,
        ...(rolls
          ? { taskDefinition: await register(), forceNewDeployment: true, deploymentConfiguration: ROLLING }
          : {}),
      });
    }
  }
  return untilSettled(order, { set, place });
}

async function untilSettled(order: StartOrder, { set, place }: { set: string; place: Place }): Promise<ReplicaReport> {
  const { ports } = place;
  const { service, replica, revision, count, spec } = order;
  const until = ports.now() + spec.health.start_ms;
  let failures = 0;
  for (;;) {
    let seen: Seen | undefined;
    try {
      const found = await serviceNamed(set, place);
      if (found === undefined)
        return reportOf({ replica, service, revision, status: "ended", ready: 0, ended: DELETED });
      seen = await look(found, { health: spec.health, place });
      failures = 0;
    } catch (thrown) {
      // It goes on there whether it is looked at or not.
      if (thrown instanceof EcsRefusal || ++failures >= LOST_LOOKS) throw thrown;
    }
    const { standing, report } = seen === undefined ? UNSEEN : orTakenBack(seen, revision);
    if (report !== undefined && report.ready >= count && standing.kind === "settled") return report;
    const leftMs = until - ports.now();
    if (report !== undefined && (standing.kind === "hopeless" || leftMs <= 0)) {
      const why = (standing.kind === "settled" ? report.lines[0] : standing.because) ?? "ECS gives no reason";
      const because = standing.kind === "hopeless" ? why : `it was not ready within ${spec.health.start_ms} ms: ${why}`;
      return notReady(because, { report, order, set, place });
    }
    await ports.sleep(Math.max(1, Math.min(LOOK_MS, leftMs)));
  }
}

const UNSEEN = { standing: { kind: "placing", because: undefined }, report: undefined } as const;

/** ECS goes back by itself to the revision before when a new one does not come. */
function orTakenBack(seen: Seen, revision: string): Seen {
  if (seen.wanted === undefined || seen.wanted === revision) return seen;
  const because = `ECS has gone back to the revision before: ${seen.report.lines[0] ?? "it gives no reason"}`;
  return { ...seen, standing: { kind: "hopeless", because } };
}

const DELETED = "its ECS service is not there any more";

type Failed = { report: ReplicaReport; order: StartOrder; set: string; place: Place };

/** Those that serve meanwhile stay; of what serves nobody nothing stays. */
async function notReady(because: string, { report, order, set, place }: Failed): Promise<ReplicaReport> {
  const stopped = await tasksOf(set, { desiredStatus: "STOPPED", place });
  const lines = [because, ...linesOf({}, stopped.slice(0, 3)), ...report.lines];
  if (report.ready > 0 && report.revision !== order.revision) {
    throw notRolled(order, { name: place.name, because: lines.join("; ") });
  }
  if (report.ready > 0) return { ...report, lines };
  const { service, replica, spec } = order;
  await stopSet({ service, replica, graceMs: spec.stop_ms }, place);
  return { ...report, status: "ended", address: null, ended: because, lines };
}

async function stopSet(
  { service, replica, graceMs }: Pick<ReplicaRef, "service" | "replica"> & { graceMs: number },
  place: Place,
): Promise<void> {
  const { ecs, ports, config } = place;
  const { cluster } = config;
  const { set } = await setNames(service, replica);
  const found = await describeSets([set], place);
  if (found[0]?.status === "ACTIVE") await ecs("DeleteService", { cluster, service: set, force: true });
  const withinMs = graceMs + DELETE_MS;
  const gone = await lookUntil(
    async () => {
      const [each] = await describeSets([set], place);
      return each === undefined || each.status === "INACTIVE" ? true : undefined;
    },
    { withinMs, everyMs: LOOK_MS, clock: ports },
  );
  if (gone !== true) {
    const detail = `Cannot stop "${service}": the ECS service ${set} must be INACTIVE within ${withinMs} ms; it still drains`;
    throw new SwitchyardError("environment_unavailable", detail);
  }
  await forgetDefinitions(set, ecs);
}

/** They have its variables. Where the user may not, they stay. */
async function forgetDefinitions(set: string, ecs: EcsCall): Promise<void> {
  const named = async (status: string): Promise<string[]> => {
    const body = { familyPrefix: set, status };
    return (await ecs<{ taskDefinitionArns?: string[] }>("ListTaskDefinitions", body)).taskDefinitionArns ?? [];
  };
  try {
    for (const taskDefinition of await named("ACTIVE")) await ecs("DeregisterTaskDefinition", { taskDefinition });
    const inactive = await named("INACTIVE");
    for (let from = 0; from < inactive.length; from += DEFINITIONS) {
      await ecs("DeleteTaskDefinitions", { taskDefinitions: inactive.slice(from, from + DEFINITIONS) });
    }
  } catch (thrown) {
    if (!(thrown instanceof EcsRefusal)) throw thrown;
  }
}

async function observeSets(
  { service, replicas, health }: Parameters<ServiceHost["observe"]>[0],
  place: Place,
): Promise<ReplicaReport[]> {
  const sets =
    replicas.length === 0
      ? await setsOf(service, place)
      : await Promise.all(replicas.map(async ({ replica }) => (await setNames(service, replica)).set));
  const found = (await describeSets(sets, place)).filter(({ status }) => status === "ACTIVE");
  const reports = await Promise.all(found.map(async (each) => (await look(each, { health, place })).report));
  const asked = replicas.filter(({ replica }) => !reports.some((each) => each.replica === replica));
  return [
    ...reports,
    ...asked.map(({ replica }) => reportOf({ replica, service, status: "ended", ready: 0, ended: DELETED })),
  ];
}

async function serviceNamed(set: string, place: Place): Promise<EcsService | undefined> {
  const [found] = await describeSets([set], place);
  if (found?.status !== "DRAINING") return found?.status === "ACTIVE" ? found : undefined;
  const detail = `Cannot start "${set}" in "${place.name}": its name must be free; ECS still drains the one before`;
  throw new SwitchyardError("environment_throttled", detail);
}

/**
 * A service's set on ECS, as data. Its task definition is the row's with the container's image, command, variables and port in place of
 * that container's own: roles, logs, size and sidecars stay. Who it is stands in the labels of that container, so that a set
 * that is found again says so itself.
 * https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
 */
import type { StartOrder } from "../service-host.ts";
import { portOf } from "../service-place.ts";
import type { FargateConfig } from "./config.ts";
import { placementOf } from "./placement.ts";
import type { EcsTask } from "./task-state.ts";

type ContainerDefinition = {
  name?: string;
  environment?: { name: string; value: string }[];
  dockerLabels?: Record<string, string>;
  portMappings?: { containerPort?: number }[];
  [setting: string]: unknown;
};
export type TaskDefinition = {
  taskDefinitionArn?: string;
  containerDefinitions?: ContainerDefinition[];
  [setting: string]: unknown;
};
export type EcsService = {
  serviceName?: string;
  status?: string;
  taskDefinition?: string;
  desiredCount?: number;
  runningCount?: number;
  pendingCount?: number;
  deployments?: {
    status?: string;
    runningCount?: number;
    failedTasks?: number;
    rolloutState?: string;
    rolloutStateReason?: string;
  }[];
  events?: { message?: string }[];
};
export type EcsServiceTask = Omit<EcsTask, "containers"> & {
  taskDefinitionArn?: string;
  healthStatus?: string;
  containers?: {
    name?: string;
    exitCode?: number;
    reason?: string;
    networkInterfaces?: { privateIpv4Address?: string }[];
  }[];
  attachments?: { details?: { name?: string; value?: string }[] }[];
};
/** Who a set is, by its task definition's labels. */
export type Identity = { service: string; replica: string; revision: string; port: number };

/** What a registration may say of a task as a whole; what else a description has is refused there. */
const OF_TASK = [
  "taskRoleArn",
  "executionRoleArn",
  "networkMode",
  "volumes",
  "placementConstraints",
  "requiresCompatibilities",
  "cpu",
  "memory",
  "pidMode",
  "ipcMode",
  "proxyConfiguration",
  "ephemeralStorage",
  "runtimePlatform",
];
const MAX_STOP_SECONDS = 120;
const MAX_EVENTS = 5;
/** Times that tasks of a rollout may end before it counts as one that never comes. ECS's own breaker takes longer. */
const FAILED_TASKS = 3;

/** undefined: the row's task definition does not have the row's container. */
export function definitionOf(
  { service, replica, revision, spec }: StartOrder,
  config: FargateConfig,
  more: { set: string; template: TaskDefinition; image: string; command: readonly string[] | null },
): Record<string, unknown> | undefined {
  const { template, image, command } = more;
  const all = template.containerDefinitions ?? [];
  const own = all.find(({ name }) => name === config.container);
  if (own === undefined) return undefined;
  const port = portOf(spec);
  // What the row's image starts says nothing of another's.
  const { command: _command, entryPoint: _entryPoint, environment = [], ...kept } = own;
  const variables = { ...spec.variables, PORT: String(port) };
  const container = {
    ...kept,
    image,
    // With an entry point of its own the image's command is left out.
    ...(command === null ? {} : { entryPoint: command }),
    environment: [
      ...environment.filter(({ name }) => !Object.hasOwn(variables, name)),
      ...Object.entries(variables).map(([name, value]) => ({ name, value })),
    ],
    portMappings: [{ containerPort: port, protocol: "tcp" }],
    dockerLabels: {
      ...own.dockerLabels,
      "switchyard.service": service,
      "switchyard.replica": replica,
      "switchyard.revision": revision,
    },
    stopTimeout: Math.min(MAX_STOP_SECONDS, Math.max(2, Math.ceil(spec.stop_ms / 1_000))),
  };
  return {
    ...Object.fromEntries(OF_TASK.filter((key) => Object.hasOwn(template, key)).map((key) => [key, template[key]])),
    ...(config.cpu === undefined ? {} : { cpu: String(config.cpu) }),
    ...(config.memory_mb === undefined ? {} : { memory: String(config.memory_mb) }),
    family: more.set,
    containerDefinitions: all.map((each) => (each === own ? container : each)),
  };
}

export function identityOf({ containerDefinitions = [] }: TaskDefinition): Identity | undefined {
  for (const { dockerLabels = {}, portMappings } of containerDefinitions) {
    const {
      "switchyard.service": service,
      "switchyard.replica": replica,
      "switchyard.revision": revision,
    } = dockerLabels;
    const port = portMappings?.[0]?.containerPort;
    if (service !== undefined && replica !== undefined && port !== undefined) {
      return { service, replica, revision: revision ?? "", port };
    }
  }
  return undefined;
}

export function serviceBody(
  config: FargateConfig,
  { set, taskDefinition, count, port }: { set: string; taskDefinition: string; count: number; port: number },
): Record<string, unknown> {
  const { container, target_group: target } = config;
  return {
    cluster: config.cluster,
    serviceName: set,
    taskDefinition,
    desiredCount: count,
    clientToken: set.slice(-36),
    ...placementOf(config),
    ...(target === undefined
      ? {}
      : { loadBalancers: [{ targetGroupArn: target, containerName: container, containerPort: port }] }),
    deploymentConfiguration: ROLLING,
  };
}

/** New ones first. What does not come is taken back by ECS itself. */
export const ROLLING = {
  minimumHealthyPercent: 100,
  maximumPercent: 200,
  deploymentCircuitBreaker: { enable: true, rollback: true },
};

export type EcsStanding =
  | { kind: "settled" }
  | { kind: "placing" | "warming"; because: string | undefined }
  | { kind: "hopeless"; because: string };

/** By ECS's own word, which knows of no health but that of the task definition. */
export function standingOfService(service: EcsService): EcsStanding {
  const { deployments = [], desiredCount = 0, runningCount = 0, events = [] } = service;
  const because = events[0]?.message;
  const primary = deployments.find(({ status }) => status === "PRIMARY");
  if (primary?.rolloutState === "FAILED") {
    return { kind: "hopeless", because: primary.rolloutStateReason ?? because ?? "ECS gives no reason" };
  }
  // As its own clients wait for a service that is stable.
  if (deployments.length === 1 && runningCount === desiredCount) return { kind: "settled" };
  const running = primary?.runningCount ?? 0;
  if (running === 0 && (primary?.failedTasks ?? 0) >= FAILED_TASKS) {
    return { kind: "hopeless", because: because ?? "its tasks end again and again" };
  }
  return { kind: running > 0 ? "warming" : "placing", because };
}

export function isRunning({ lastStatus }: EcsServiceTask): boolean {
  return lastStatus === "RUNNING";
}

export function addressOf(task: EcsServiceTask, port: number): string | undefined {
  const interfaces = (task.containers ?? []).flatMap(({ networkInterfaces = [] }) => networkInterfaces);
  const details = (task.attachments ?? []).flatMap(({ details: each = [] }) => each);
  const ip =
    interfaces.find(({ privateIpv4Address }) => privateIpv4Address !== undefined)?.privateIpv4Address ??
    details.find(({ name }) => name === "privateIPv4Address")?.value;
  return ip === undefined ? undefined : `http://${ip}:${port}`;
}

/** What people read first, newest first. */
export function linesOf({ events = [] }: EcsService, tasks: readonly EcsServiceTask[] = []): string[] {
  const ended = tasks.map(({ stopCode, stoppedReason, containers = [] }) =>
    [
      stopCode,
      stoppedReason,
      ...containers.flatMap(({ exitCode, reason }) => [
        exitCode === undefined ? undefined : `exit code ${exitCode}`,
        reason,
      ]),
    ]
      .filter((part) => part !== undefined && part !== "")
      .join("; "),
  );
  const said = events.slice(0, MAX_EVENTS).map(({ message = "" }) => message);
  return [...ended, ...said].filter((line) => line !== "").map((line) => line.slice(0, 1_000));
}

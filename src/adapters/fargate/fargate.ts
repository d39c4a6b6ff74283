/**
 * Tasks of Amazon ECS, on Fargate or not: each call is a task that runs our host, or a container that the team has, and
 * reports by a signed callback (job.ts). A task is found again by its clientToken and its startedBy, both the ticket's id.
 */
import * as v from "valibot";
import { traceVariables } from "../../core/trace.ts";
import type { Outcome } from "../../model/outcome.ts";
import {
  outcomeOfThrown,
  unstarted,
  type Adapter,
  type AdapterCall,
  type AdapterPorts,
  type EnvironmentCheck,
  type JobTicket,
} from "../adapter.ts";
import { runJob, type JobDriver, type JobOptions } from "../job.ts";
import { checkFargate } from "./check.ts";
import { FargateConfigSchema, type FargateConfig } from "./config.ts";
import { ecsApi, EcsRefusal, type EcsCall } from "./ecs-api.ts";
import { ecsServices } from "./ecs-services.ts";
import { placementOf } from "./placement.ts";
import { outcomeOfFailure, outcomeOfRefusal } from "./refusals.ts";
import { stateOfTask, type EcsTask } from "./task-state.ts";

/** ECS takes 8,192 characters of overrides in all; a longer input is fetched. */
const INPUT_CHARS = 4_000;

type Tasks = { tasks?: EcsTask[]; failures?: { reason?: string; detail?: string }[] };

export function fargateAdapter(ports: AdapterPorts, options: JobOptions = {}): Adapter {
  return {
    name: "fargate",
    summary: "Tasks of Amazon ECS, on Fargate or machines of one's own, that report by callback, and its services",
    config: FargateConfigSchema,
    secrets: {
      access_key_id: {
        required: true,
        summary: "Of a user or role that may ecs:RunTask, DescribeTasks, ListTasks, StopTask; more for services",
      },
      secret_access_key: { required: true, summary: "Its secret" },
      session_token: { required: false, summary: "Of temporary credentials" },
    },
    runs: ["module", "container"],

    async invoke(call): Promise<Outcome> {
      let driver: JobDriver;
      try {
        const config = v.parse(FargateConfigSchema, call.environment.config);
        const ecs = ecsApi(config, call.environment, ports);
        const refusal = await unsuitable(call, config, ecs);
        if (refusal !== undefined) return refusal;
        driver = driverOf(call, config, ecs);
      } catch (thrown) {
        return notBegun(thrown, call.environment.name);
      }
      return runJob(call, driver, ports, options);
    },

    check(environment): Promise<EnvironmentCheck> {
      return checkFargate(environment, ports);
    },
    services: ecsServices(ports),
  };
}

function driverOf(call: AdapterCall, config: FargateConfig, ecs: EcsCall): JobDriver {
  const { environment, operation } = call;
  const { cluster } = config;
  const names = {
    environment: environment.name,
    operation: operation.name,
    container: config.container,
    isModule: operation.implementation.kind === "module",
  };
  return {
    async start(ticket) {
      let answer: Tasks;
      try {
        answer = await ecs<Tasks>("RunTask", taskOf(call, config, ticket));
      } catch (thrown) {
        if (!(thrown instanceof EcsRefusal)) throw thrown;
        // The token was used for a task that was asked for otherwise: by an earlier attempt, of the same job.
        const handle = thrown.type === "ConflictException" ? await startedBefore(ecs, cluster, ticket) : undefined;
        return handle === undefined ? outcomeOfRefusal(thrown, environment.name) : { handle };
      }
      const arn = answer.tasks?.[0]?.taskArn;
      return arn === undefined ? outcomeOfFailure(answer.failures?.[0] ?? {}, environment.name) : { handle: arn };
    },
    async look(handle) {
      const { tasks } = await ecs<Tasks>("DescribeTasks", { cluster, tasks: [handle] });
      return stateOfTask(tasks?.[0], names);
    },
    async stop(handle) {
      await ecs("StopTask", { cluster, task: handle, reason: "Switchyard: cancelled or timed out" });
    },
  };
}

function taskOf(
  { operation, input, meta }: AdapterCall,
  config: FargateConfig,
  ticket: JobTicket,
): Record<string, unknown> {
  const { implementation } = operation;
  const isContainer = implementation.kind === "container";
  const command = isContainer ? implementation.command : null;
  const environment = [
    { name: "SWITCHYARD_JOB_URL", value: ticket.url },
    { name: "SWITCHYARD_JOB_TOKEN", value: ticket.token },
    ...(isContainer ? traceVariables(meta) : []),
    ...(isContainer && input.length <= INPUT_CHARS ? [{ name: "SWITCHYARD_INPUT", value: input }] : []),
  ];
  return {
    cluster: config.cluster,
    taskDefinition: config.task_definition,
    count: 1,
    clientToken: ticket.id,
    startedBy: ticket.id,
    ...placementOf(config),
    overrides: {
      ...(config.cpu === undefined ? {} : { cpu: String(config.cpu) }),
      ...(config.memory_mb === undefined ? {} : { memory: String(config.memory_mb) }),
      containerOverrides: [{ name: config.container, environment, ...(command === null ? {} : { command }) }],
    },
  };
}

async function startedBefore(ecs: EcsCall, cluster: string, ticket: JobTicket): Promise<string | undefined> {
  for (const desiredStatus of ["RUNNING", "STOPPED"]) {
    const { taskArns } = await ecs<{ taskArns?: string[] }>("ListTasks", {
      cluster,
      startedBy: ticket.id,
      desiredStatus,
    });
    if (taskArns?.[0] !== undefined) return taskArns[0];
  }
  return undefined;
}

/** ECS has no place for an image in RunTask, so it must be the task definition's; another would be ignored in silence. */
async function unsuitable(
  { operation, environment }: AdapterCall,
  config: FargateConfig,
  ecs: EcsCall,
): Promise<Outcome | undefined> {
  const { implementation } = operation;
  if (implementation.kind === "module") {
    if (config.host) return undefined;
    return unstarted(
      "environment_misconfigured",
      `Cannot run "${operation.name}" in "${environment.name}": modules need the host in the container; the row says host: false`,
    );
  }
  if (implementation.kind !== "container") {
    return unstarted(
      "no_environment",
      `Cannot run "${operation.name}" in "${environment.name}": it must be a module or a container; it is ${implementation.kind}`,
      { retry: { kind: "never" } },
    );
  }
  const { taskDefinition } = await ecs<{
    taskDefinition?: { containerDefinitions?: { name?: string; image?: string }[] };
  }>("DescribeTaskDefinition", { taskDefinition: config.task_definition });
  const image = taskDefinition?.containerDefinitions?.find(({ name }) => name === config.container)?.image;
  if (image === implementation.image) return undefined;
  return unstarted(
    "environment_misconfigured",
    `Cannot run "${operation.name}" in "${environment.name}": "${config.task_definition}" must run the image ${implementation.image} in "${config.container}"; it runs ${image ?? "none"}`,
  );
}

function notBegun(thrown: unknown, name: string): Outcome {
  if (thrown instanceof EcsRefusal) return outcomeOfRefusal(thrown, name);
  const outcome = outcomeOfThrown(thrown);
  if (outcome.ok || outcome.error.code !== "internal") return { ...outcome, unstarted: true } as Outcome;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return unstarted("environment_unavailable", `Cannot reach ECS for "${name}": it must answer; it did not: ${reason}`);
}

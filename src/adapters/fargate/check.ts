/** Looks at a place on ECS with two calls that change nothing. Whether a task may be run only running one tells. */
import * as v from "valibot";
import type { AdapterPorts, EnvironmentCheck, EnvironmentHandle } from "../adapter.ts";
import { FargateConfigSchema, type FargateConfig } from "./config.ts";
import { ecsApi, EcsRefusal, type EcsCall } from "./ecs-api.ts";
import { outcomeOfRefusal } from "./refusals.ts";

type Clusters = { clusters?: { status?: string; runningTasksCount?: number; pendingTasksCount?: number }[] };
type Definition = {
  taskDefinition?: { status?: string; revision?: number; containerDefinitions?: { name?: string; image?: string }[] };
};
type Facts = Record<string, string | number | boolean>;

export async function checkFargate(
  environment: EnvironmentHandle,
  ports: Pick<AdapterPorts, "fetchOn" | "now" | "platformUrl">,
): Promise<EnvironmentCheck> {
  const missing: string[] = [];
  const facts: Facts = {};
  let latencyMs: number | null = null;
  if (ports.platformUrl === undefined)
    missing.push("Tasks report to the platform: set PUBLIC_URL (opctl dev --public-url)");
  try {
    const config = v.parse(FargateConfigSchema, environment.config);
    const ecs = ecsApi(config, environment, ports);
    const begunAt = ports.now();
    missing.push(...(await lookAtCluster(ecs, config, facts)));
    latencyMs = ports.now() - begunAt;
    missing.push(...(await lookAtDefinition(ecs, config, facts)));
    return { reachable: true, allowed: null, latency_ms: latencyMs, missing, facts };
  } catch (thrown) {
    if (!(thrown instanceof EcsRefusal)) {
      missing.push(`ECS must answer: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      return { reachable: false, allowed: null, latency_ms: null, missing, facts };
    }
    const isRefused = outcomeOfRefusal(thrown, environment.name).error.code === "environment_refused";
    missing.push(`ECS says ${thrown.type}: ${thrown.message}`);
    return { reachable: true, allowed: isRefused ? false : null, latency_ms: latencyMs, missing, facts };
  }
}

async function lookAtCluster(ecs: EcsCall, { cluster }: FargateConfig, facts: Facts): Promise<string[]> {
  const { clusters } = await ecs<Clusters>("DescribeClusters", { clusters: [cluster] });
  const found = clusters?.[0];
  if (found?.status !== "ACTIVE")
    return [`The cluster "${cluster}" must be ACTIVE; it is ${found?.status ?? "not there"}`];
  facts["running_tasks"] = found.runningTasksCount ?? 0;
  facts["pending_tasks"] = found.pendingTasksCount ?? 0;
  return [];
}

async function lookAtDefinition(ecs: EcsCall, config: FargateConfig, facts: Facts): Promise<string[]> {
  const { task_definition: name, container } = config;
  const { taskDefinition } = await ecs<Definition>("DescribeTaskDefinition", { taskDefinition: name });
  if (taskDefinition?.status === "INACTIVE") return [`The task definition "${name}" must be ACTIVE; it is INACTIVE`];
  const all = taskDefinition?.containerDefinitions ?? [];
  const found = all.find((one) => one.name === container);
  if (found === undefined) {
    return [
      `The task definition "${name}" must have the container "${container}"; it has ${all.map((one) => one.name).join(", ")}`,
    ];
  }
  facts["task_definition_revision"] = taskDefinition?.revision ?? 0;
  facts["image"] = found.image ?? "";
  return [];
}

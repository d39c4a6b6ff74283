/**
 * For tests: ECS's services and their task definitions in memory, as its API reference says. Tasks run at once, unless they are told
 * not to; a new revision that does not run leaves the tasks of the one before in their place.
 */
type Json = Record<string, unknown>;
type Service = {
  status: "ACTIVE" | "DRAINING" | "INACTIVE";
  taskDefinition: string;
  desiredCount: number;
  /** Of the tasks that run. */
  running: { taskDefinition: string; count: number };
  body: Json;
};

export class EcsError extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

const ARN = "arn:aws:ecs:eu-central-1:1";

export class FakeEcsServices {
  readonly services = new Map<string, Service>();
  readonly definitions = new Map<string, Json & { status: string }>();
  /** New tasks end instead of running. */
  failing = false;
  /** ECS's breaker has found that, and gone back where it can. */
  breaks = false;
  /** Looks at a service that was deleted until it is INACTIVE. */
  drains = 1;
  /** Of every task that runs. */
  health = "UNKNOWN";
  ip = "127.0.0.1";
  #revision = 0;

  /** undefined: it is none of a service's actions. */
  answer(action: string, body: Json): unknown {
    const name =
      textOf(body["service"] ?? body["serviceName"])
        .split("/")
        .at(-1) ?? "";
    const service = this.services.get(name);
    switch (action) {
      case "RegisterTaskDefinition": {
        const arn = `${ARN}:task-definition/${String(body["family"])}:${(this.#revision += 1)}`;
        this.definitions.set(arn, { ...structuredClone(body), taskDefinitionArn: arn, status: "ACTIVE" });
        return { taskDefinition: this.definitions.get(arn) };
      }
      case "DescribeTaskDefinition": {
        const found = this.definitions.get(String(body["taskDefinition"]));
        return found === undefined ? undefined : { taskDefinition: found };
      }
      case "ListTaskDefinitions": {
        const all = [...this.definitions].filter(
          ([, { family, status }]) => family === body["familyPrefix"] && status === (body["status"] ?? "ACTIVE"),
        );
        return { taskDefinitionArns: all.map(([arn]) => arn) };
      }
      case "DeregisterTaskDefinition": {
        const found = this.definitions.get(String(body["taskDefinition"]));
        if (found !== undefined) found.status = "INACTIVE";
        return { taskDefinition: found };
      }
      case "DeleteTaskDefinitions":
        for (const arn of body["taskDefinitions"] as string[]) this.definitions.delete(arn);
        return { failures: [] };
      case "CreateService": {
        if (service !== undefined && service.status !== "INACTIVE") {
          throw new EcsError("InvalidParameterException", "Creation of service was not idempotent.");
        }
        this.services.set(
          name,
          this.#rolled({ status: "ACTIVE", body, running: { taskDefinition: "", count: 0 } }, body),
        );
        return { service: this.#described(name) };
      }
      case "UpdateService": {
        if (service === undefined) throw new EcsError("ServiceNotFoundException", "Service not found.");
        if (service.status !== "ACTIVE") throw new EcsError("ServiceNotActiveException", "Service was not ACTIVE.");
        this.services.set(name, this.#rolled(service, body));
        return { service: this.#described(name) };
      }
      case "DeleteService":
        if (service === undefined) throw new EcsError("ServiceNotFoundException", "Service not found.");
        service.status = "DRAINING";
        service.desiredCount = this.drains;
        return { service: this.#described(name) };
      case "ListServices":
        return {
          serviceArns: [...this.services]
            .filter(([, { status }]) => status !== "INACTIVE")
            .map(([each]) => `${ARN}:service/c/${each}`),
        };
      case "DescribeServices": {
        const names = body["services"] as string[];
        return {
          services: names.flatMap((each) => (this.services.has(each) ? [this.#described(each)] : [])),
          failures: [],
        };
      }
      case "ListTasks":
        return name === "" ? undefined : { taskArns: this.#tasks(name, body["desiredStatus"] === "STOPPED") };
      case "DescribeTasks": {
        const arns = body["tasks"] as string[];
        if (!arns.every((arn) => /sy-.*-\d+$/.test(arn))) return undefined;
        return { tasks: arns.map((arn) => this.#task(arn)), failures: [] };
      }
      default:
        return undefined;
    }
  }

  #rolled(before: Pick<Service, "status" | "body" | "running">, body: Json): Service {
    const old = this.services.get(String(body["service"]));
    const taskDefinition = textOf(body["taskDefinition"] ?? old?.taskDefinition);
    const desiredCount = Number(body["desiredCount"]);
    const running = this.failing ? before.running : { taskDefinition, count: desiredCount };
    return { ...before, taskDefinition, desiredCount, running };
  }

  #described(name: string): Json {
    const service = this.services.get(name) as Service;
    if (service.status === "DRAINING" && service.desiredCount-- <= 0) service.status = "INACTIVE";
    if (!this.failing && service.status === "ACTIVE") {
      service.running = { taskDefinition: service.taskDefinition, count: service.desiredCount };
    }
    const { running } = service;
    const isNew = running.taskDefinition === service.taskDefinition;
    const goesBack = this.breaks && this.failing && !isNew;
    if (goesBack && running.count > 0) service.taskDefinition = running.taskDefinition;
    const failed = goesBack && running.count === 0;
    const primary = {
      status: "PRIMARY",
      taskDefinition: service.taskDefinition,
      runningCount: isNew ? running.count : 0,
      failedTasks: isNew ? 0 : 1,
      rolloutState: isNew ? "COMPLETED" : failed ? "FAILED" : "IN_PROGRESS",
      ...(failed ? { rolloutStateReason: "ECS deployment circuit breaker: tasks failed to start." } : {}),
    };
    const active = { status: "ACTIVE", taskDefinition: running.taskDefinition, runningCount: running.count };
    return {
      serviceName: name,
      serviceArn: `${ARN}:service/c/${name}`,
      status: service.status,
      taskDefinition: service.taskDefinition,
      desiredCount: service.desiredCount,
      runningCount: running.count,
      pendingCount: 0,
      deployments: isNew || running.count === 0 ? [primary] : [primary, active],
      events: [{ message: isNew ? "has reached a steady state." : "was unable to place a task." }],
    };
  }

  #tasks(name: string, stopped: boolean): string[] {
    const service = this.services.get(name);
    if (service?.status !== "ACTIVE") return [];
    const count = stopped ? Number(this.failing) : service.running.count;
    return Array.from({ length: count }, (_, index) => `${ARN}:task/c/${name}-${index + (stopped ? 1_000 : 0)}`);
  }

  #task(arn: string): Json {
    const [, name = "", index] = /task\/c\/(sy-.*)-(\d+)$/.exec(arn) ?? [];
    if (Number(index) >= 1_000) {
      const stopped = { stopCode: "TaskFailedToStart", stoppedReason: "CannotPullContainerError: no such image" };
      return { taskArn: arn, lastStatus: "STOPPED", ...stopped, containers: [] };
    }
    return {
      taskArn: arn,
      taskDefinitionArn: this.services.get(name)?.running.taskDefinition,
      lastStatus: "RUNNING",
      healthStatus: this.health,
      containers: [{ name: "main", networkInterfaces: [{ privateIpv4Address: this.ip }] }],
    };
  }
}

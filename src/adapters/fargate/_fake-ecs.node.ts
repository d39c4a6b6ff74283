/** For tests: an ECS in memory that answers as its API reference says, and remembers what it was asked; `services` as far as those go. */
import { EcsError, type FakeEcsServices } from "./_fake-ecs-services.node.ts";

export type Asked = { action: string; body: Record<string, unknown>; headers: Headers };
type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | Error;

export class FakeEcs {
  readonly asked: Asked[] = [];
  /** What actions are answered from now on, in place of success; one that has run out goes on as usual. */
  readonly answers: Record<string, Answer[]> = {};
  task: Record<string, unknown> = { lastStatus: "RUNNING" };
  image = "team/thumb:1";
  services: FakeEcsServices | undefined;
  /** Cuts the connection after the request was done, at that number of requests. */
  losesAnswer = 0;
  readonly #tasks = new Map<string, string>();

  get started(): number {
    return this.#tasks.size;
  }

  actions(): string {
    return this.asked.map(({ action }) => action).join(" ");
  }

  answer(action: string, ...answers: Answer[]): void {
    this.answers[action] = answers;
  }

  refuse(action: string, type: string, message: string, status = 400): void {
    this.answer(action, { status, body: { __type: `com.amazonaws.ecs#${type}`, message } });
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const action = request.headers.get("x-amz-target")?.split(".")[1] ?? "";
    const body = (await request.json()) as Record<string, unknown>;
    this.asked.push({ action, body, headers: request.headers });
    const next = this.answers[action]?.shift();
    if (next instanceof Error) throw next;
    if (next !== undefined) {
      const { status = 200, headers = {} } = next;
      return new Response(typeof next.body === "string" ? next.body : JSON.stringify(next.body), { status, headers });
    }
    try {
      const answer = this.services?.answer(action, body) ?? this.#usual(action, body);
      if (this.asked.length === this.losesAnswer) throw new TypeError("the connection was cut");
      return Response.json(answer);
    } catch (thrown) {
      if (!(thrown instanceof EcsError)) throw thrown;
      return Response.json({ __type: thrown.type, message: thrown.message }, { status: 400 });
    }
  };

  #usual(action: string, body: Record<string, unknown>): unknown {
    switch (action) {
      case "RunTask": {
        const token = String(body["clientToken"]);
        const arn = this.#tasks.get(token) ?? `arn:aws:ecs:eu-central-1:1:task/c/${this.#tasks.size + 1}`;
        this.#tasks.set(token, arn);
        return { tasks: [{ taskArn: arn, lastStatus: "PROVISIONING" }], failures: [] };
      }
      case "DescribeTasks":
        return { tasks: [{ ...this.task, taskArn: (body["tasks"] as string[])[0] }], failures: [] };
      case "ListTasks":
        return { taskArns: [this.#tasks.get(String(body["startedBy"]))].filter((arn) => arn !== undefined) };
      case "DescribeTaskDefinition":
        return {
          taskDefinition: {
            status: "ACTIVE",
            revision: 4,
            containerDefinitions: [{ name: "main", image: this.image }],
          },
        };
      case "DescribeClusters":
        return { clusters: [{ status: "ACTIVE", runningTasksCount: 2, pendingTasksCount: 1 }] };
      default:
        return {};
    }
  }
}

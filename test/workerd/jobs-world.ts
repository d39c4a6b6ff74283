/** A board of jobs behind the real routes, with a registry and a clock that the tests hold. */
import { env } from "cloudflare:workers";
import type { JobsPort } from "../../src/adapters/adapter.ts";
import { newExecutionId } from "../../src/core/ids.ts";
import { Capabilities } from "../../src/dispatch/capability.ts";
import { Tickets } from "../../src/dispatch/ticket.ts";
import { createApp } from "../../src/edge/app.ts";
import type { Platform } from "../../src/edge/context.ts";
import { JobBoard } from "../../src/executions/jobs/job-board.ts";
import type { JobCallbacks } from "../../src/executions/jobs/job-callbacks.ts";
import { jobsPort } from "../../src/executions/jobs/jobs.ts";
import { joinFrame } from "../../src/model/frame.ts";
import type { HostOrder, Work } from "../../src/model/host-protocol.ts";
import type { InvocationMeta } from "../../src/model/invocation.ts";
import type { ResolvedOperation } from "../../src/model/resolved.ts";

export { JobBoard };

export const bindings = env as unknown as { JOBS: DurableObjectNamespace<JobBoard> };
export const SECRET_VALUE = "the-secret-of-the-operation";
export const KEY = "a key of the test";
const PLATFORM_URL = "https://platform.test";

export class TestWorld {
  nowMs = Date.now();
  /** A shard of its own for each world, so that none meets another's jobs. */
  readonly execution: string;
  readonly jobs: JobsPort & JobCallbacks;
  readonly #app: ReturnType<typeof createApp>;
  readonly #capabilities: Capabilities;

  constructor(shard: number) {
    const now = () => this.nowMs;
    this.execution = newExecutionId(shard, this.nowMs);
    this.#capabilities = new Capabilities(KEY, now);
    this.jobs = jobsPort(bindings.JOBS, {
      tickets: new Tickets(KEY, now),
      capabilities: this.#capabilities,
      registry: {
        resolve: async (name, { revision }) => ({ operation: { name, revision } as unknown as ResolvedOperation }),
        isolateId: ({ name, revision }) => `isolate of ${name}@${revision}`,
        loadIsolate: async () => ({
          code: "export const run = 1",
          language: "javascript",
          export: "run",
          network: [],
          secrets: { KEY: SECRET_VALUE },
        }),
      },
      platformUrl: PLATFORM_URL,
      now,
    });
    this.#app = createApp({
      jobs: this.jobs,
      capabilities: this.#capabilities,
      control: undefined,
    } as unknown as Platform);
  }

  async open(
    changes: Partial<InvocationMeta> & { environment?: string; input?: string; work?: Work } = {},
  ): ReturnType<JobsPort["open"]> {
    const {
      environment = "fargate-eu",
      input = '{"n":1}',
      work = { kind: "module", language: "javascript" },
      ...rest
    } = changes;
    const meta: InvocationMeta = {
      execution_id: this.execution,
      attempt: 1,
      operation: "work",
      revision: 3,
      caller: { type: "token", id: "owner" },
      traceparent: "00-1-2-01",
      timeout_ms: 60_000,
      capability: await this.#capabilities.issue("owner", 2),
      ...rest,
    };
    const order: HostOrder = { protocol: 1, isolate: "old", work, meta, platform_url: PLATFORM_URL };
    return this.jobs.open({ meta, environment, order: joinFrame(order, input) });
  }

  async request(
    id: string,
    token: string | undefined,
    init: RequestInit & { accept?: string } = {},
  ): Promise<Response> {
    const { accept, ...rest } = init;
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(accept === undefined ? {} : { accept }),
    };
    return this.#app.request(`${PLATFORM_URL}/jobs/${id}`, { ...rest, headers });
  }

  report(id: string, token: string | undefined, body: BodyInit): Promise<Response> {
    return this.request(id, token, { method: "POST", body });
  }

  stub(id: string): DurableObjectStub<JobBoard> {
    return bindings.JOBS.getByName(`jobs-${id.split("-")[1]}`);
  }

  verify(capability: string): Promise<{ principalId: string; depth: number }> {
    return this.#capabilities.verify(capability);
  }
}

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;

/**
 * The composition root: reads the bindings, wires the ports, exports the entrypoints and Durable Objects. The same
 * worker runs on Cloudflare (executor: the Worker Loader of this script) and self-hosted (executor: supervised
 * processes, reached through SLOT_n bindings).
 */
import { waitUntil, WorkerEntrypoint } from "cloudflare:workers";
import type { Adapter, AdapterCall, IsolateSource } from "./adapters/adapter.ts";
import { builtinAdapter } from "./adapters/builtin/builtin.ts";
import { inlineAdapter } from "./adapters/inline/inline.ts";
import { shardOfExecutionId } from "./core/ids.ts";
import { Capabilities } from "./dispatch/capability.ts";
import { Health } from "./dispatch/health.ts";
import { Tickets } from "./dispatch/ticket.ts";
import { createApp } from "./edge/app.ts";
import type { Platform } from "./edge/context.ts";
import { Accepter } from "./executions/accepter.ts";
import { ShardedArtifacts } from "./executions/artifacts/artifacts.ts";
import { PayloadStore } from "./executions/artifacts/payload-store.ts";
import type { RunnerPorts } from "./executions/_runner-ports.ts";
import { runClaims } from "./executions/attempt-runner.ts";
import { runChain } from "./executions/chain.ts";
import { ExecutionShard, nameOfShard, SHARDS, type ShardEnv } from "./executions/execution-shard.ts";
import { createExecutions, wakeShards } from "./executions/executions.ts";
import { JobBoard } from "./executions/jobs/job-board.ts";
import { jobsPort } from "./executions/jobs/jobs.ts";
import { Keeper } from "./executions/keeper.ts";
import type { Claim } from "./executions/messages.ts";
import { Payloads } from "./executions/payloads.ts";
import { Recorder } from "./executions/recorder.ts";
import { Waiting } from "./executions/waiting.ts";
import { createExecutor, type ExecutorBindings } from "./executor/create-executor.ts";
import { Gate } from "./executor/gate.ts";
import type { Outcome } from "./model/outcome.ts";
import type { Principal } from "./model/principal.ts";
import { CHAIN_FUNCTION, chainInput } from "./registry/builtins/chain-input.ts";
import { parseInput } from "./registry/builtins/parse-input.ts";
import { runBuiltin } from "./registry/builtins/run-builtin.ts";
import { openDatabase } from "./registry/database.ts";
import { createRegistry, type Registry } from "./registry/registry.ts";

export { ExecutionShard, Gate, JobBoard };

export type Bindings = ExecutorBindings &
  ShardEnv & {
    /** Artifacts, and inputs and outputs too large for a row. */
    ARTIFACTS: R2Bucket;
    /** Jobs that run elsewhere and report back. */
    JOBS: DurableObjectNamespace<JobBoard>;
    /** Where jobs and hosts reach the platform, such as https://switchyard.example.com. */
    PUBLIC_URL?: string;
    /** The registry's libSQL server; with REGISTRY, a service binding through which its URL is reached. */
    REGISTRY_URL: string;
    REGISTRY_AUTH_TOKEN?: string;
    REGISTRY?: Fetcher;
    /** Opens sealed secrets: 32 bytes in base64. */
    MASTER_KEY: string;
    /** Signs what running handlers present for ctx.call. */
    CAPABILITY_KEY: string;
    /** Milliseconds an isolate may trust its cache before it looks at the registry's counter again. */
    REGISTRY_MAX_STALE_MS?: string;
  };

declare const SWITCHYARD_VERSION: string | undefined;

const version = typeof SWITCHYARD_VERSION === "string" ? SWITCHYARD_VERSION : "dev";

type Wired = { platform: Platform; runner: RunnerPorts };

function wire(env: Bindings): Wired {
  const remote = env.REGISTRY;
  const isolates: IsolateSource = {
    isolateId: (operation) => registry.isolateId(operation),
    loadIsolate: (operation) => registry.loadIsolate(operation),
  };
  const { executor, control } = createExecutor(env);
  const adapters = new Map<string, Adapter>(
    [inlineAdapter(executor, isolates), builtinAdapter((name, call) => runBuiltinCall(name, call))].map((adapter) => [
      adapter.name,
      adapter,
    ]),
  );
  const registry: Registry = createRegistry({
    database: openDatabase({
      url: env.REGISTRY_URL,
      ...(env.REGISTRY_AUTH_TOKEN === undefined ? {} : { authToken: env.REGISTRY_AUTH_TOKEN }),
      ...(remote === undefined ? {} : { fetch: (request) => remote.fetch(request) }),
    }),
    masterKey: env.MASTER_KEY,
    adapters: [...adapters.values()],
    background: waitUntil,
    ...(env.REGISTRY_MAX_STALE_MS === undefined ? {} : { maxStaleMs: Number(env.REGISTRY_MAX_STALE_MS) }),
  });
  const namespace = env.EXECUTIONS;
  const now = Date.now;
  const recorder = new Recorder(namespace, waitUntil);
  const payloads = new Payloads(new PayloadStore(env.ARTIFACTS));
  const waiting = new Waiting();
  const accepter = new Accepter({ namespace, background: waitUntil, waiting: () => waiting.size });
  const keeper = new Keeper({
    namespace,
    accepter,
    payloads,
    waiting,
    hold: (id, named) => artifacts.hold(id, named),
    now,
  });
  const executions = createExecutions({ namespace, keeper, payloads, recorder, registry });
  const capabilities = new Capabilities(env.CAPABILITY_KEY);
  const jobs = jobsPort(env.JOBS, {
    tickets: new Tickets(env.CAPABILITY_KEY),
    capabilities,
    registry,
    platformUrl: env.PUBLIC_URL?.replace(/\/+$/, ""),
    now,
  });
  const shard = (id: string) => namespace.getByName(nameOfShard(shardOfExecutionId(id) ?? 0));
  const artifacts = new ShardedArtifacts({
    shard: (number) => namespace.getByName(nameOfShard(number)),
    shards: SHARDS,
    bucket: env.ARTIFACTS,
    outputOf: (id) => executions.output(id),
    now,
  });
  const builtins = (name: string, input: unknown, principal: Principal) =>
    runBuiltin(registry, name, input, principal, { executions, artifacts });
  const runBuiltinCall = async (name: string, call: AdapterCall): Promise<Outcome> => {
    if (name === CHAIN_FUNCTION) return chain(call);
    const { output } = await builtins(name, call.inputValue, call.principal);
    return { ok: true, output: JSON.stringify(output), logs: [] };
  };
  const chain = ({ inputValue, principal, meta, depth, steps = [], options }: AdapterCall): Promise<Outcome> =>
    runChain(
      {
        steps: parseInput(chainInput, inputValue, CHAIN_FUNCTION).steps,
        principal,
        meta,
        depth,
        begun: steps,
        cancellation: options?.cancellation,
      },
      {
        dispatch: platform.dispatch,
        noteSteps: (id, attempt, noted) => shard(id).steps(id, attempt, noted),
        statusOf: async (id) => (await executions.find(id))?.status,
      },
    );
  const invokePorts = {
    environments: registry,
    adapters,
    health: new Health(),
    now,
    capability: (principalId: string, depth: number) => capabilities.issue(principalId, depth),
  };
  const platform: Platform = {
    registry,
    runBuiltin: builtins,
    dispatch: {
      ...invokePorts,
      registry,
      recorder,
      keeper,
      log: (execution, operation, lines) => {
        for (const line of lines) console.log(JSON.stringify({ ...line, execution, operation }));
      },
    },
    capabilities,
    executions,
    artifacts,
    jobs,
    control,
    version,
  };
  const runner: RunnerPorts = {
    ...invokePorts,
    registry,
    payloads,
    ended: (id, outcome) => waiting.ended(id, outcome),
    giveWay: () => accepter.giveWay(),
  };
  return { platform, runner };
}

let wired: Wired | undefined;
let app: ReturnType<typeof createApp> | undefined;

/** Makes attempts for a shard, in an invocation of its own. */
export class AttemptRunner extends WorkerEntrypoint<Bindings> {
  async run(shard: string, claims: string): Promise<void> {
    wired ??= wire(this.env);
    const stub = this.env.EXECUTIONS.getByName(shard);
    await runClaims(JSON.parse(claims) as Claim[], stub, wired.runner);
  }
}

export default {
  fetch(request, env, context): Response | Promise<Response> {
    wired ??= wire(env);
    if (app === undefined) {
      app = createApp(wired.platform);
      // What a process that was lost left behind goes on as soon as the next one answers its first request.
      if (env.INCARNATION !== undefined) waitUntil(wakeShards(env.EXECUTIONS));
    }
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Bindings>;

/**
 * The composition root: reads the bindings, wires the ports, exports the entrypoints and Durable Objects. The same
 * worker runs on Cloudflare (executor: the Worker Loader of this script) and self-hosted (executor: supervised
 * processes, reached through SLOT_n bindings).
 */
import { waitUntil, WorkerEntrypoint } from "cloudflare:workers";
import type { AdapterCall } from "./adapters/adapter.ts";
import { checker } from "./adapters/check.ts";
import { createAdapters, offeredAdapters } from "./adapters/index.ts";
import { networksOf } from "./adapters/networks.ts";
import { toErrorData, toSwitchyardError } from "./core/errors.ts";
import { shardOfExecutionId } from "./core/ids.ts";
import { log } from "./core/log.ts";
import { noteSecrets } from "./core/redact.ts";
import { Capabilities } from "./dispatch/capability.ts";
import { Health } from "./dispatch/health.ts";
import { Tickets } from "./dispatch/ticket.ts";
import { createApp } from "./edge/app.ts";
import type { Platform } from "./edge/context.ts";
import { problem } from "./edge/problem.ts";
import { Accepter } from "./executions/accepter.ts";
import { artifactTexts } from "./executions/artifacts/artifact-texts.ts";
import { ShardedArtifacts } from "./executions/artifacts/artifacts.ts";
import { PayloadStore } from "./executions/artifacts/payload-store.ts";
import type { RunnerPorts } from "./executions/_runner-ports.ts";
import { runClaims } from "./executions/attempt-runner.ts";
import { runChain } from "./executions/chain.ts";
import { ExecutionShard, nameOfShard, SHARDS, type ShardEnv } from "./executions/execution-shard.ts";
import { createExecutions, wakeShards } from "./executions/executions.ts";
import { JobBoard } from "./executions/jobs/job-board.ts";
import { jobsPort, type JobsOptions } from "./executions/jobs/jobs.ts";
import { Keeper } from "./executions/keeper.ts";
import type { Claim } from "./executions/messages.ts";
import { Payloads } from "./executions/payloads.ts";
import { Recorder } from "./executions/recorder.ts";
import { Waiting } from "./executions/waiting.ts";
import { createExecutor, type ExecutorBindings } from "./executor/create-executor.ts";
import { Gate } from "./executor/gate.ts";
import { MetricsBoard } from "./metrics/metrics-board.ts";
import { wireTelemetry } from "./metrics/wire-telemetry.ts";
import type { EndNote } from "./model/ended.ts";
import type { Outcome } from "./model/outcome.ts";
import type { Caller, Principal } from "./model/principal.ts";
import { DELIVERY_FUNCTION, deliveryInput } from "./registry/builtins/delivery-function.ts";
import { CHAIN_FUNCTION, chainInput } from "./registry/builtins/chain-input.ts";
import { parseInput } from "./registry/builtins/parse-input.ts";
import { runBuiltin } from "./registry/builtins/run-builtin.ts";
import { RateLimiter } from "./limits/rate-limiter.ts";
import { RateLimits } from "./limits/rate-limits.ts";
import { readTelemetrySettings } from "./telemetry/settings.ts";
import { RunnerPool } from "./runners/runner-pool.ts";
import { openDatabase } from "./registry/database.ts";
import { changesFor } from "./triggers/schedules/changes.ts";
import { fireAll, type FirePorts } from "./triggers/schedules/fire.ts";
import type { ChangesOrder, FireOrder } from "./triggers/schedules/messages.ts";
import { AgentObject } from "./agents/agent-object.ts";
import * as agentRunner from "./agents/agent-runner.ts";
import { createAgents } from "./agents/agents.ts";
import { Scheduler } from "./triggers/schedules/scheduler.ts";
import { createSchedules, SchedulerObjects } from "./triggers/schedules/schedules.ts";
import plugins from "../switchyard.adapters.js";
import { createRegistry, type Registry } from "./registry/registry.ts";
import { createDoors } from "./services/doors.ts";
import { ServiceObject } from "./services/service-object.ts";
import * as serviceRunner from "./services/service-runner.ts";
import { createServices } from "./services/services.ts";
import { deliver } from "./triggers/subscriptions/deliver.ts";
import { switchOff } from "./triggers/subscriptions/switch-off.ts";
import { tryOut } from "./triggers/subscriptions/try-out.ts";
import { tellEnds, type TellPorts } from "./triggers/subscriptions/tell-ends.ts";
import { createWanted } from "./triggers/subscriptions/wanted.ts";
import { createDeliveries } from "./triggers/webhooks/deliveries.ts";
import { DeliveryLog } from "./triggers/webhooks/delivery-log.ts";
import { DeliveryRecorder } from "./triggers/webhooks/delivery-recorder.ts";
import { nameOfLog } from "./triggers/webhooks/delivery-shards.ts";
import { createWebhooks } from "./triggers/webhooks/webhooks.ts";

export {
  AgentObject,
  DeliveryLog,
  ExecutionShard,
  Gate,
  JobBoard,
  MetricsBoard,
  RateLimiter,
  RunnerPool,
  Scheduler,
  ServiceObject,
};

export type Bindings = ExecutorBindings &
  ShardEnv & {
    /** Self-hosted runners, an object for each environment. */
    RUNNERS: DurableObjectNamespace<RunnerPool>;
    /** The clocks of schedules. */
    SCHEDULER: DurableObjectNamespace<Scheduler>;
    /** Agents at work, an object for each. */
    AGENTS: DurableObjectNamespace<AgentObject>;
    /** Services, an object for each. */
    SERVICES: DurableObjectNamespace<ServiceObject>;
    /** Artifacts, and inputs and outputs too large for a row. */
    ARTIFACTS: R2Bucket;
    /** fetch on the team's own network, where the installation has one. */
    PRIVATE_NETWORK?: Fetcher;
    /** Adds up what isolates have counted. */
    METRICS_BOARD: DurableObjectNamespace<MetricsBoard>;
    /** Jobs that run elsewhere and report back. */
    JOBS: DurableObjectNamespace<JobBoard>;
    /** Deliveries to webhooks. */
    DELIVERIES: DurableObjectNamespace<DeliveryLog>;
    /** Counts, an object for each rate limit. */
    RATE_LIMITS: DurableObjectNamespace<RateLimiter>;
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
    /** "off": nothing is counted. OTEL_… beside it, as telemetry/settings.ts reads them. */
    METRICS?: string;
  };

declare const SWITCHYARD_VERSION: string | undefined;

const version = typeof SWITCHYARD_VERSION === "string" ? SWITCHYARD_VERSION : "dev";

type Wired = {
  platform: Platform;
  runner: RunnerPorts;
  agents: agentRunner.AgentRunnerPorts;
  services: serviceRunner.ServiceRunnerPorts & { look(): Promise<void> };
  triggers: FirePorts & Omit<TellPorts, "read"> & { registry: Registry; look(): Promise<void> };
};

function wire(env: Bindings): Wired {
  noteSecrets([env.MASTER_KEY, env.CAPABILITY_KEY, env.REGISTRY_AUTH_TOKEN, env.EXECUTOR_SECRET]);
  const remote = env.REGISTRY;
  const now = Date.now;
  const { executor, control } = createExecutor(env);
  const capabilities = new Capabilities(env.CAPABILITY_KEY);
  // Adapters are made before the registry, which checks rows by what they say of themselves; they use it only later.
  const source: JobsOptions["registry"] = {
    isolateId: (operation) => registry.isolateId(operation),
    loadIsolate(operation) {
      // Whoever asks for the code does not have it: an isolate or a host that starts cold.
      telemetry?.meter?.count("cold_starts", operation.name);
      return registry.loadIsolate(operation);
    },
    resolve: (name, wanted) => registry.resolve(name, wanted),
  };
  const platformUrl = env.PUBLIC_URL?.replace(/\/+$/, "");
  const tickets = new Tickets(env.CAPABILITY_KEY);
  const jobs = jobsPort(env.JOBS, { tickets, capabilities, registry: source, platformUrl, now });
  const adapters = createAdapters({
    executor,
    plugins,
    builtin: (name, call) => runBuiltinCall(name, call),
    pool: (environment) => env.RUNNERS.getByName(environment),
    services: createDoors({
      exposure: (name) => registry.exposure(name),
      service: (name) => registry.trigger("service", name),
      environment: (name) => registry.environment(name),
      object: (service) => env.SERVICES.getByName(service),
      now,
      later(ms, work) {
        const timer = setTimeout(work, ms);
        return () => clearTimeout(timer);
      },
      background: waitUntil,
      meter: () => telemetry?.meter,
    }),
    telemetry: () => telemetry,
    ports: {
      isolates: source,
      ...networksOf(env.PRIVATE_NETWORK),
      platformUrl,
      jobs,
      artifacts: artifactTexts(() => artifacts),
      now,
      sleep: (ms) => scheduler.wait(ms),
    },
  });
  const schedulers = new SchedulerObjects(env.SCHEDULER, waitUntil);
  const registry: Registry = createRegistry({
    followers: {
      seen: (change) => {
        schedulers.seen(change);
        if (change !== undefined) waitUntil(Promise.all([agents.tell([change]), services.tell([change])]));
      },
      wrote: async (changes) => {
        await Promise.all([schedulers.tell(changes), agents.tell(changes), services.tell(changes)]);
      },
    },
    database: openDatabase({
      url: env.REGISTRY_URL,
      ...(env.REGISTRY_AUTH_TOKEN === undefined ? {} : { authToken: env.REGISTRY_AUTH_TOKEN }),
      ...(remote === undefined ? {} : { fetch: (request) => remote.fetch(request) }),
    }),
    masterKey: env.MASTER_KEY,
    adapters: offeredAdapters(adapters),
    background: waitUntil,
    ...(env.REGISTRY_MAX_STALE_MS === undefined ? {} : { maxStaleMs: Number(env.REGISTRY_MAX_STALE_MS) }),
  });
  const host = (adapter: string) => adapters.get(adapter)?.services;
  const services = createServices({
    object: (service) => env.SERVICES.getByName(service),
    registry,
    host,
  });
  const agents = createAgents({ namespace: env.AGENTS, registry });
  const rateLimits = new RateLimits(env.RATE_LIMITS, now);
  const namespace = env.EXECUTIONS;
  const wanted = createWanted({
    known: () => registry.knownTriggers("subscription"),
    subscriptions: () => registry.triggers("subscription"),
    now,
  });
  const recorder = new Recorder({ namespace, background: waitUntil, wanted });
  const payloads = new Payloads(new PayloadStore(env.ARTIFACTS));
  const waiting = new Waiting();
  const accepter = new Accepter({ namespace, background: waitUntil, waiting: () => waiting.size });
  const keeper = new Keeper({
    namespace,
    accepter,
    payloads,
    waiting,
    wanted,
    hold: (id, named) => artifacts.hold(id, named),
    now,
  });
  const executions = createExecutions({ namespace, keeper, payloads, recorder, registry, rateLimits });
  const shard = (id: string) => namespace.getByName(nameOfShard(shardOfExecutionId(id) ?? 0));
  const artifacts = new ShardedArtifacts({
    shard: (number) => namespace.getByName(nameOfShard(number)),
    shards: SHARDS,
    bucket: env.ARTIFACTS,
    outputOf: (id) => executions.output(id),
    now,
  });
  const schedules = createSchedules({ objects: schedulers, registry, dispatch: () => platform.dispatch });
  const builtins = (name: string, input: unknown, principal: Principal, caller?: Caller) => {
    const wiredPorts = {
      executions,
      artifacts,
      environments: { check: checker(adapters) },
      webhooks: platform.webhooks,
      schedules,
      agents,
      services,
      subscriptions: {
        test: (subscription: string, asker: Principal) =>
          tryOut(subscription, asker, {
            subscription: (wanted) => registry.trigger("subscription", wanted),
            dispatch: platform.dispatch,
            now,
          }),
      },
    };
    return runBuiltin(registry, name, input, principal, wiredPorts, caller);
  };
  const runBuiltinCall = async (name: string, call: AdapterCall): Promise<Outcome> => {
    if (name === CHAIN_FUNCTION) return chain(call);
    if (name === DELIVERY_FUNCTION) return delivered(call);
    const { output } = await builtins(name, call.inputValue, call.principal, call.meta.caller);
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
  const { telemetry, exposition } = wireTelemetry(readTelemetrySettings(env), {
    board: env.METRICS_BOARD,
    gauges: {
      shards: Array.from(
        { length: SHARDS },
        (_, number) => async () => namespace.getByName(nameOfShard(number)).load(),
      ),
      pools: async () => (await registry.environments()).filter(isPool).map(({ name }) => name),
      pool: async (environment) => env.RUNNERS.getByName(environment).status(),
      registryAgeMs: () => registry.ageMs(),
    },
    send: collectorFetch(env),
    background: waitUntil,
    now,
    sleep: (ms) => scheduler.wait(ms),
    version,
  });
  const delivered = ({ inputValue, principal, meta, depth, options }: AdapterCall): Promise<Outcome> =>
    deliver(
      {
        input: parseInput(deliveryInput, inputValue, DELIVERY_FUNCTION),
        principal,
        meta,
        depth,
        cancellation: options?.cancellation,
      },
      {
        subscription: (name) => registry.trigger("subscription", name),
        secrets: (row) => registry.triggerSecrets(row),
        fetchOn: networksOf(env.PRIVATE_NETWORK).fetchOn,
        switchOff: (row) => switchOff(row, registry),
        dispatch: platform.dispatch,
        userAgent: `Switchyard/${version}`,
        now,
      },
    );
  const invokePorts = {
    telemetry,
    environments: registry,
    adapters,
    health: new Health(),
    now,
    capability: (principalId: string, depth: number) => capabilities.issue(principalId, depth),
  };
  const dispatchPorts: Platform["dispatch"] = {
    ...invokePorts,
    registry,
    recorder,
    keeper,
    rateLimits,
    log: (execution, { name, traceparent }, lines) => {
      for (const { level, message, at_ms: atMs } of lines) {
        log(level, message, { execution, operation: name, traceparent, atMs });
      }
    },
  };
  const deliveryRecorder = new DeliveryRecorder({
    log: (shard) => env.DELIVERIES.getByName(nameOfLog(shard)),
    background: waitUntil,
    sleep: (ms) => scheduler.wait(ms),
    now,
  });
  const deliveries = createDeliveries({ namespace: env.DELIVERIES, recorder: deliveryRecorder });
  const record = deliveryRecorder.add.bind(deliveryRecorder);
  const platform: Platform = {
    registry,
    runBuiltin: builtins,
    dispatch: dispatchPorts,
    webhooks: createWebhooks({ registry, dispatch: dispatchPorts, record, now }, deliveries),
    capabilities,
    rateLimits,
    executions,
    artifacts,
    agents,
    services,
    jobs,
    control,
    runners: {
      pool: (environment) => env.RUNNERS.getByName(environment),
      connect: (environment, request) => env.RUNNERS.getByName(environment).fetch(request),
    },
    telemetry,
    exposition,
    background: waitUntil,
    version,
    publicUrl: platformUrl,
  };
  const runner: RunnerPorts = {
    ...invokePorts,
    registry,
    payloads,
    wanted,
    ended: (id, outcome) => waiting.ended(id, outcome),
    giveWay: () => accepter.giveWay(),
  };
  const triggers = {
    registry,
    dispatch: platform.dispatch,
    executions,
    look: () => schedulers.look(),
    subscriptions: () => registry.triggers("subscription"),
    schedulesEnded: (ends: readonly { schedule: string; execution: string }[]) => schedulers.ended(ends),
  };
  const directed = {
    registry,
    dispatch: platform.dispatch,
    executions,
    took: async (agent: string, text: string) => env.AGENTS.getByName(agent).took(text),
  };
  const kept = {
    registry,
    host,
    dispatch: platform.dispatch,
    stop: (order: Parameters<typeof services.stopGone>[0]) => services.stopGone(order),
    reported: async (service: string, report: string) => env.SERVICES.getByName(service).reported(report),
    look: () => services.look(),
  };
  return { platform, runner, triggers, agents: directed, services: kept };
}

function isPool({ active, adapter }: { active: boolean; adapter: string }): boolean {
  return active && adapter === "runner";
}

/** A collector is mostly beside the platform: where there is a network of the team's own, it is asked through that. */
function collectorFetch({ PRIVATE_NETWORK: own }: Bindings): (request: Request) => Promise<Response> {
  return own === undefined ? (request) => fetch(request) : (request) => own.fetch(request);
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

/** Does for triggers' objects what needs the registry or dispatch, in an invocation of its own. Texts are JSON. */
export class TriggerRunner extends WorkerEntrypoint<Bindings> {
  /** FireOrder[] → FireAnswer[]. */
  async fire(text: string): Promise<string> {
    wired ??= wire(this.env);
    return JSON.stringify(await fireAll(JSON.parse(text) as FireOrder[], wired.triggers));
  }

  /** ChangesOrder → ChangesAnswer. */
  async schedules(text: string): Promise<string> {
    wired ??= wire(this.env);
    return JSON.stringify(await changesFor(JSON.parse(text) as ChangesOrder, wired.triggers.registry));
  }

  /** Ends that a shard has noted, JSON of EndNote[]; answers the ids that need not be told again, as JSON. */
  async completed(shard: string, notes: string): Promise<string> {
    wired ??= wire(this.env);
    const stub = this.env.EXECUTIONS.getByName(shard);
    const read: TellPorts["read"] = async (ids, options) => stub.ended([...ids], options);
    return JSON.stringify(await tellEnds(JSON.parse(notes) as EndNote[], { ...wired.triggers, read }));
  }
}

/** Does for agents' objects what needs the registry or dispatch, in an invocation of its own. See src/agents/agent-runner.ts. */
export class AgentRunner extends WorkerEntrypoint<Bindings> {
  look(agent: string): Promise<string> {
    return agentRunner.lookFor(agent, this.#ports());
  }

  plan(text: string): Promise<string> {
    return agentRunner.planText(text, this.#ports());
  }

  run(agent: string, text: string): Promise<void> {
    return agentRunner.runText(agent, text, this.#ports());
  }

  sense(text: string): Promise<string> {
    return agentRunner.senseText(text, this.#ports());
  }

  cancel(text: string): Promise<void> {
    return agentRunner.cancelAll(text, this.#ports());
  }

  #ports(): agentRunner.AgentRunnerPorts {
    return (wired ??= wire(this.env)).agents;
  }
}

/** Does for services' objects what needs the registry or dispatch, in an invocation of its own. See src/services/service-runner.ts. */
export class ServiceRunner extends WorkerEntrypoint<Bindings> {
  look(service: string): Promise<string> {
    return serviceRunner.lookFor(service, this.#ports());
  }

  step(text: string): Promise<string> {
    return serviceRunner.stepText(text, this.#ports());
  }

  ask(text: string): Promise<string> {
    return serviceRunner.askText(text, this.#ports());
  }

  reported(service: string, text: string): Promise<void> {
    return serviceRunner.passOn(service, text, this.#ports());
  }

  #ports(): serviceRunner.ServiceRunnerPorts {
    return (wired ??= wire(this.env)).services;
  }
}

export default {
  fetch(request, env, context): Response | Promise<Response> {
    try {
      wired ??= wire(env);
    } catch (thrown) {
      // A binding that cannot be honoured: whoever asks is told which, until it is mended.
      return problem(toErrorData(toSwitchyardError(thrown)));
    }
    if (app === undefined) {
      app = createApp(wired.platform);
      // What a process that was lost left behind goes on as soon as the next one answers its first request.
      if (env.INCARNATION !== undefined) waitUntil(wakeShards(env.EXECUTIONS));
      waitUntil(wired.triggers.look());
      waitUntil(wired.services.look());
    }
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Bindings>;

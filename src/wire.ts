/**
 * Wires the ports of everything to what the bindings give, once an isolate. Parts that need each other before both are made are handed
 * functions that look the other up when they are called.
 */
import { waitUntil } from "cloudflare:workers";
import type { AdapterCall } from "./adapters/adapter.ts";
import { checker } from "./adapters/check.ts";
import { createAdapters, offeredAdapters } from "./adapters/index.ts";
import { networksOf } from "./adapters/networks.ts";
import type { Bindings } from "./bindings.ts";
import { shardOfExecutionId } from "./core/ids.ts";
import { log } from "./core/log.ts";
import { noteSecrets } from "./core/redact.ts";
import { Capabilities } from "./dispatch/capability.ts";
import { Health } from "./dispatch/health.ts";
import { Tickets } from "./dispatch/ticket.ts";
import type { Platform } from "./edge/context.ts";
import { Accepter } from "./executions/accepter.ts";
import { artifactTexts } from "./executions/artifacts/artifact-texts.ts";
import { ShardedArtifacts } from "./executions/artifacts/artifacts.ts";
import { PayloadStore } from "./executions/artifacts/payload-store.ts";
import type { RunnerPorts } from "./executions/_runner-ports.ts";
import { runChain } from "./executions/chain.ts";
import { nameOfShard, SHARDS } from "./executions/execution-shard.ts";
import { createExecutions } from "./executions/executions.ts";
import { jobsPort, type JobsOptions } from "./executions/jobs/jobs.ts";
import { Keeper } from "./executions/keeper.ts";
import { Payloads } from "./executions/payloads.ts";
import { Recorder } from "./executions/recorder.ts";
import { Waiting } from "./executions/waiting.ts";
import { createExecutor } from "./executor/create-executor.ts";
import { wireTelemetry } from "./metrics/wire-telemetry.ts";
import { told } from "./objects/reach.ts";
import type { Outcome } from "./model/outcome.ts";
import type { Caller, Principal } from "./model/principal.ts";
import { DELIVERY_FUNCTION, deliveryInput } from "./registry/builtins/delivery-function.ts";
import { CHAIN_FUNCTION, chainInput } from "./registry/builtins/chain-input.ts";
import { parseInput } from "./registry/builtins/parse-input.ts";
import { runBuiltin } from "./registry/builtins/run-builtin.ts";
import { RateLimits } from "./limits/rate-limits.ts";
import { readTelemetrySettings } from "./telemetry/settings.ts";
import { openDatabase } from "./registry/database.ts";
import type { FirePorts } from "./triggers/schedules/fire.ts";
import type { AgentRunnerPorts } from "./agents/agent-runner.ts";
import { createAgents } from "./agents/agents.ts";
import { createSchedules, SchedulerObjects } from "./triggers/schedules/schedules.ts";
import { nameOfScheduler, SCHEDULER_SHARDS } from "./triggers/schedules/shards.ts";
import plugins from "../switchyard.adapters.js";
import { createRegistry, type Registry } from "./registry/registry.ts";
import { createDoors } from "./services/doors.ts";
import type { ServiceRunnerPorts } from "./services/service-runner.ts";
import { createServices } from "./services/services.ts";
import { deliver } from "./triggers/subscriptions/deliver.ts";
import { switchOff } from "./triggers/subscriptions/switch-off.ts";
import { tryOut } from "./triggers/subscriptions/try-out.ts";
import type { TellPorts } from "./triggers/subscriptions/tell-ends.ts";
import { createWanted } from "./triggers/subscriptions/wanted.ts";
import { createDeliveries } from "./triggers/webhooks/deliveries.ts";
import { DeliveryRecorder } from "./triggers/webhooks/delivery-recorder.ts";
import { nameOfLog } from "./triggers/webhooks/delivery-shards.ts";
import { createWebhooks } from "./triggers/webhooks/webhooks.ts";

declare const SWITCHYARD_VERSION: string | undefined;

const version = typeof SWITCHYARD_VERSION === "string" ? SWITCHYARD_VERSION : "dev";

export type Wired = {
  platform: Platform;
  runner: RunnerPorts;
  agents: AgentRunnerPorts;
  clockWasSet(was: number): Promise<void>;
  services: ServiceRunnerPorts & { look(): Promise<void> };
  triggers: FirePorts & Omit<TellPorts, "read"> & { registry: Registry; look(): Promise<void> };
};

export function wire(env: Bindings): Wired {
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
      environment: (name, revision) => registry.environment(name, revision),
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
  const clockWasSet = (was: number) => tellOfClock(env, registry, was);
  return { platform, runner, triggers, agents: directed, services: kept, clockWasSet };
}

function isPool({ active, adapter }: { active: boolean; adapter: string }): boolean {
  return active && adapter === "runner";
}

/** A collector is mostly beside the platform: where there is a network of the team's own, it is asked through that. */
function collectorFetch({ PRIVATE_NETWORK: own }: Bindings): (request: Request) => Promise<Response> {
  return own === undefined ? (request) => fetch(request) : (request) => own.fetch(request);
}

/** Everybody who waits for a time by an alarm. `was`: what time it would be. */
async function tellOfClock(env: Bindings, registry: Pick<Registry, "triggers">, was: number): Promise<void> {
  const shards = Array.from({ length: SHARDS }, (_, shard) => env.EXECUTIONS.getByName(nameOfShard(shard)));
  const schedulers = Array.from({ length: SCHEDULER_SHARDS }, (_, shard) =>
    env.SCHEDULER.getByName(nameOfScheduler(shard)),
  );
  const tell = (stubs: readonly { clockWasSet(was: number): Promise<void> }[]) =>
    Promise.all(stubs.map((stub) => told("clock", () => stub.clockWasSet(was))));
  await Promise.all([
    tell([...shards, ...schedulers]),
    told("clock", async () => {
      const [agents, services] = await Promise.all([registry.triggers("agent"), registry.triggers("service")]);
      await tell(agents.map(({ name }) => env.AGENTS.getByName(name)));
      await tell(services.map(({ name }) => env.SERVICES.getByName(name)));
    }),
  ]);
}

/**
 * The composition root: reads the bindings, wires the ports, exports the entrypoints and Durable Objects. The same
 * worker runs on Cloudflare (executor: the Worker Loader of this script) and self-hosted (executor: supervised
 * processes, reached through SLOT_n bindings).
 */
import { waitUntil } from "cloudflare:workers";
import { builtinAdapter } from "./adapters/builtin/builtin.ts";
import { inlineAdapter } from "./adapters/inline/inline.ts";
import { Capabilities } from "./dispatch/capability.ts";
import { createApp } from "./edge/app.ts";
import type { Platform } from "./edge/context.ts";
import { ExecutionShard } from "./executions/execution-shard.ts";
import { Recorder, type ExecutionNamespace } from "./executions/recorder.ts";
import { createExecutor, type ExecutorBindings } from "./executor/create-executor.ts";
import { Gate } from "./executor/gate.ts";
import { runBuiltin } from "./registry/builtins/run-builtin.ts";
import { ADAPTERS } from "./model/adapters.ts";
import { openDatabase } from "./registry/database.ts";
import { createRegistry } from "./registry/registry.ts";

export { ExecutionShard, Gate };

export type Bindings = ExecutorBindings & {
  EXECUTIONS: ExecutionNamespace;
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

function createPlatform(env: Bindings): Platform {
  const remote = env.REGISTRY;
  const registry = createRegistry({
    database: openDatabase({
      url: env.REGISTRY_URL,
      ...(env.REGISTRY_AUTH_TOKEN === undefined ? {} : { authToken: env.REGISTRY_AUTH_TOKEN }),
      ...(remote === undefined ? {} : { fetch: (request) => remote.fetch(request) }),
    }),
    masterKey: env.MASTER_KEY,
    adapters: ADAPTERS,
    background: waitUntil,
    ...(env.REGISTRY_MAX_STALE_MS === undefined ? {} : { maxStaleMs: Number(env.REGISTRY_MAX_STALE_MS) }),
  });
  const recorder = new Recorder(env.EXECUTIONS, waitUntil);
  const capabilities = new Capabilities(env.CAPABILITY_KEY);
  const { executor, control } = createExecutor(env);
  const builtins = (name: string, input: unknown, principal: Parameters<typeof runBuiltin>[3]) =>
    runBuiltin(registry, name, input, principal);
  return {
    registry,
    runBuiltin: builtins,
    dispatch: {
      registry,
      environments: registry,
      adapters: new Map([
        ["inline", inlineAdapter(executor, registry)],
        ["builtin", builtinAdapter(builtins)],
      ]),
      recorder,
      capability: (principalId, depth) => capabilities.issue(principalId, depth),
      log: (execution, operation, lines) => {
        for (const line of lines) console.log(JSON.stringify({ ...line, execution, operation }));
      },
      now: Date.now,
    },
    capabilities,
    executions: recorder,
    control,
    version,
  };
}

let app: ReturnType<typeof createApp> | undefined;

export default {
  fetch(request, env, context): Response | Promise<Response> {
    app ??= createApp(createPlatform(env));
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Bindings>;

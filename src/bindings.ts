/** What the worker is given: Durable Objects, the registry, keys and settings. wrangler.toml and cli/dev/edge.ts provide them. */
import type { ShardEnv } from "./executions/execution-shard.ts";
import type { JobBoard } from "./executions/jobs/job-board.ts";
import type { ExecutorBindings } from "./executor/create-executor.ts";
import type { MetricsBoard } from "./metrics/metrics-board.ts";
import type { RateLimiter } from "./limits/rate-limiter.ts";
import type { RunnerPool } from "./runners/runner-pool.ts";
import type { AgentObject } from "./agents/agent-object.ts";
import type { Scheduler } from "./triggers/schedules/scheduler.ts";
import type { ServiceObject } from "./services/service-object.ts";
import type { DeliveryLog } from "./triggers/webhooks/delivery-log.ts";

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

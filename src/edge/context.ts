/** What every route can use, and what a request has become by the time a route sees it. */
import type { Context } from "hono";
import type { TraceContext } from "../core/trace.ts";
import type { DispatchPorts } from "../dispatch/dispatch.ts";
import type { Capabilities } from "../dispatch/capability.ts";
import type { AgentWatch } from "../agents/port.ts";
import type { ServiceWatch } from "../services/port.ts";
import type { Artifacts, Executions } from "../executions/port.ts";
import type { JobCallbacks } from "../executions/jobs/job-callbacks.ts";
import type { Scope } from "../model/scope.ts";
import type { Caller, Principal } from "../model/principal.ts";
import type { Limited, RateLimitsPort } from "../model/rate-limit.ts";
import type { BuiltinResult } from "../registry/builtins/builtin.ts";
import type { RunnerPoolPort } from "../model/runner-protocol.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Registry } from "../registry/registry.ts";
import type { Webhooks } from "../triggers/webhooks/webhooks.ts";

/** The platform behind the routes, wired in `src/worker.ts`. */
export type Platform = {
  registry: Registry;
  /** A function of the platform itself, after checking the principal's scope. */
  runBuiltin(name: string, input: unknown, principal: Principal): Promise<BuiltinResult>;
  dispatch: DispatchPorts;
  capabilities: Capabilities;
  rateLimits: RateLimitsPort;
  executions: Executions;
  artifacts: Artifacts;
  /** What agents did, as it comes. */
  agents: AgentWatch;
  /** What happened to services, as it comes. */
  services: ServiceWatch;
  /** What jobs come back to, with their tickets. */
  jobs: JobCallbacks;
  webhooks: Webhooks;
  /** Answers the supervisor of executor processes; undefined where there is none (Cloudflare). */
  control: ((request: Request) => Promise<Response>) | undefined;
  /** Self-hosted runners, by environment; undefined where there are none. */
  runners?: {
    pool(environment: string): RunnerPoolPort;
    connect(environment: string, request: Request): Promise<Response>;
  };
  /** What counts and traces requests; undefined: nothing does. */
  telemetry?: Telemetry | undefined;
  /** The text of GET /metrics; undefined: metrics are switched off. */
  exposition?: (() => Promise<string>) | undefined;
  /** Work that goes on when nobody waits for it any more, also where the client has gone. */
  background: (work: Promise<unknown>) => void;
  version: string;
  /** Where the platform is reached; undefined where only its caller knows. */
  publicUrl?: string | undefined;
};

/** Who is asking. `depth` is above 0 for a call that a running handler makes with ctx.call. */
export type Identity = { principal: Principal; caller: Caller; depth: number };

/** `limits`: the rate limits that the request was held to so far. */
export type Env = {
  Variables: {
    platform: Platform;
    identity: Identity;
    routes: readonly Route[];
    limits: Limited[];
    trace?: TraceContext;
  };
};
export type RouteContext = Context<Env>;

export type Route = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** In Hono's form. Parameters are decoded and checked by the route. */
  path: string;
  /**
   * `public`: anybody. `invoke`: any token that may invoke at all, dispatch then asks for the operation's own group.
   * `kind`: the read or write scope of the registry kind in the path. `runner`: a runner of the environment in the path.
   * Else the scope itself.
   */
  access: "public" | "invoke" | "kind:read" | "kind:write" | "runner" | Scope;
  summary: string;
  /** Whether a running handler may use it with its capability; `only`: nobody else may. Absent: it may not. */
  handlers?: "also" | "only";
  /** What it answers when all is well, where that is not JSON. Any media type: the Accept header is not looked at. */
  produces?: "text/event-stream" | "text/plain" | "*/*";
  /** Its success, where that is not 200. */
  status?: 101 | 201 | 202 | 204;
  /** Its query parameters with what they do, for openapi.json. */
  query?: Readonly<Record<string, string>>;
  /** What its body holds, where it takes one. */
  body?: "application/json" | "text/javascript" | "application/octet-stream";
  handle: (context: RouteContext) => Response | Promise<Response>;
};

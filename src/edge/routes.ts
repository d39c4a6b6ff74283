/**
 * Every route of the platform in one table. A route states its scope or that it is public; there is no third way, so
 * a forgotten check cannot be a hole. Tests walk this table, and openapi.json is written from it.
 */
import { agentEvents, agentStatus, planAgent, seekAgent, senseAgent, stopAgent } from "./routes/agents.ts";
import { getArtifact, listArtifacts } from "./routes/artifacts.ts";
import { checkEnvironment } from "./routes/environments.ts";
import { docs } from "./routes/docs.ts";
import { cancelExecution, replayExecution } from "./routes/execution-control.ts";
import { getEvents } from "./routes/execution-events.ts";
import { getExecution, getInput, getLogs, getOutput, listExecutions } from "./routes/executions.ts";
import { appendLogs, putArtifact } from "./routes/handler-reports.ts";
import { health } from "./routes/health.ts";
import { metrics } from "./routes/metrics.ts";
import { getModuleCode, putModuleCode } from "./routes/modules.ts";
import { getJobOrder, postJobReport } from "./routes/jobs.ts";
import { mcp } from "./routes/mcp.ts";
import { openapi } from "./routes/openapi.ts";
import { getDelivery, listDeliveries, receiveWebhook, replayDelivery, testWebhook } from "./routes/hooks.ts";
import { callOperation, describeOperation } from "./routes/ops.ts";
import * as registry from "./routes/registry.ts";
import { getSchedule, listFirings, listSchedules, triggerSchedule } from "./routes/schedules.ts";
import {
  deployService,
  restartService,
  scaleService,
  serviceEvents,
  serviceProgress,
  serviceStatus,
  undeployService,
} from "./routes/services.ts";
import { connectRunner, listRunners } from "./routes/runners.ts";
import type { Route } from "./context.ts";

const REGISTRY = "/registry/:kind";
const ENTRY = "/registry/:kind/:name";
const EXECUTION = "/executions/:id";
const JSON_TYPE = "application/json";

const PAGED = { limit: "1 to 1000, else 100", cursor: "The next_cursor of the page before" };

const MCP_VIEW = {
  group: "Only tools of this group; may be given more than once",
  builtins: "`true`: also the platform's own functions",
};

/** Whose execution it is decides each of these, see _access.ts; hence `invoke`, the least that a token can have. */
const EXECUTION_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/executions",
    access: "registry:read",
    summary: "List executions, newest first",
    query: {
      operation: "Its operation's name",
      status: "Its state",
      trigger: "The type of its caller",
      parent: "The execution that started it",
      since: "Accepted then or later: RFC 3339 or milliseconds since 1970",
      until: "Accepted before: RFC 3339 or milliseconds since 1970",
      ...PAGED,
    },
    handle: listExecutions,
  },
  {
    method: "GET",
    path: EXECUTION,
    access: "invoke",
    handlers: "also",
    summary: "One execution's record",
    handle: getExecution,
  },
  { method: "GET", path: `${EXECUTION}/input`, access: "invoke", summary: "Its input", handle: getInput },
  {
    method: "GET",
    path: `${EXECUTION}/output`,
    access: "invoke",
    handlers: "also",
    summary: "Its bare output, or the problem that it ended with",
    handle: getOutput,
  },
  {
    method: "GET",
    path: `${EXECUTION}/logs`,
    access: "invoke",
    summary: "Lines of its log",
    query: { after: "The seq of the last line known", ...PAGED },
    handle: getLogs,
  },
  {
    method: "GET",
    path: `${EXECUTION}/events`,
    access: "invoke",
    summary: "Its states and log lines as they come",
    produces: "text/event-stream",
    handle: getEvents,
  },
  {
    method: "POST",
    path: `${EXECUTION}/cancel`,
    access: "invoke",
    handlers: "also",
    summary: "Cancel it and what it started",
    handle: cancelExecution,
  },
  {
    method: "POST",
    path: `${EXECUTION}/replay`,
    access: "invoke",
    summary: "Run its input again, as a new execution",
    status: 202,
    body: JSON_TYPE,
    handle: replayExecution,
  },
  {
    method: "POST",
    path: `${EXECUTION}/artifacts`,
    access: "invoke",
    handlers: "only",
    summary: "A running handler stores an artifact",
    status: 201,
    query: { name: "What it is called", content_type: "Its media type" },
    body: "application/octet-stream",
    handle: putArtifact,
  },
  {
    method: "POST",
    path: `${EXECUTION}/logs`,
    access: "invoke",
    handlers: "only",
    summary: "A running handler adds lines to its log",
    status: 204,
    body: JSON_TYPE,
    handle: appendLogs,
  },
  {
    method: "GET",
    path: "/artifacts",
    access: "registry:read",
    summary: "List artifacts, newest first",
    query: {
      execution: "The execution that made it",
      operation: "That execution's operation",
      sha256: "Its content's SHA-256, in hex",
      ...PAGED,
    },
    handle: listArtifacts,
  },
  {
    method: "GET",
    path: "/artifacts/:id",
    access: "invoke",
    handlers: "also",
    summary: "An artifact's bytes",
    produces: "*/*",
    handle: getArtifact,
  },
];

const AGENT = "/agents/:name";

/** Who directs an agent must have its scopes: that is asked by the functions. */
const AGENT_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: `${AGENT}/status`,
    access: "registry:read",
    summary: "What an agent knows, wants and does",
    handle: agentStatus,
  },
  {
    method: "GET",
    path: `${AGENT}/events`,
    access: "registry:read",
    summary: "Its plans, steps, changes of state and phases as they come",
    produces: "text/event-stream",
    query: { after: "The seq of the last event known, else all that are remembered" },
    handle: agentEvents,
  },
  {
    method: "POST",
    path: `${AGENT}/plan`,
    access: "registry:read",
    summary: "How it would get to a target; starts nothing",
    body: JSON_TYPE,
    handle: planAgent,
  },
  {
    method: "POST",
    path: `${AGENT}/seek`,
    access: "invoke",
    summary: "Set it a target",
    status: 202,
    body: JSON_TYPE,
    handle: seekAgent,
  },
  {
    method: "POST",
    path: `${AGENT}/stop`,
    access: "invoke",
    summary: "Let it start nothing more",
    body: JSON_TYPE,
    handle: stopAgent,
  },
  {
    method: "POST",
    path: `${AGENT}/sense`,
    access: "invoke",
    summary: "Tell it what is at a place of its state",
    body: JSON_TYPE,
    handle: senseAgent,
  },
];

const SERVICE = "/services/:name";

/** Who directs a service must have its scopes: that is asked by the functions. */
const SERVICE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: `${SERVICE}/status`,
    access: "registry:read",
    summary: "What a service is at: its state and why, its replicas, how it is reached",
    handle: serviceStatus,
  },
  {
    method: "GET",
    path: `${SERVICE}/events`,
    access: "registry:read",
    summary: "Its states, and its replicas' coming and going, as they come",
    produces: "text/event-stream",
    query: { after: "The seq of the last event known, else all that are remembered" },
    handle: serviceEvents,
  },
  {
    method: "GET",
    path: `${SERVICE}/progress`,
    access: "invoke",
    summary: "How far it is with what is wanted of it, for whoever may direct it",
    handle: serviceProgress,
  },
  {
    method: "POST",
    path: `${SERVICE}/deploy`,
    access: "invoke",
    summary: "Make a service hot, as if a request waited for it",
    handle: deployService,
  },
  {
    method: "POST",
    path: `${SERVICE}/undeploy`,
    access: "invoke",
    summary: "Stop a service once its requests have ended",
    handle: undeployService,
  },
  {
    method: "POST",
    path: `${SERVICE}/restart`,
    access: "invoke",
    summary: "Replace each replica of a service, one after another",
    handle: restartService,
  },
  {
    method: "POST",
    path: `${SERVICE}/scale`,
    access: "invoke",
    summary: "Set how many replicas a service has",
    body: JSON_TYPE,
    handle: scaleService,
  },
];

/** What reaches a webhook, and what is known of it. A hook is public, since each verifies its own signature. */
const WEBHOOK_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/hooks/:name",
    access: "public",
    summary: "A request to a webhook, which starts its operation once it is verified",
    // Senders ask for all sorts of things that they do not read.
    produces: "*/*",
    status: 202,
    body: JSON_TYPE,
    handle: receiveWebhook,
  },
  {
    method: "POST",
    path: "/webhooks/:name/test",
    access: "registry:write",
    summary: "Send a webhook a request that is signed with its own secret",
    body: JSON_TYPE,
    handle: testWebhook,
  },
  {
    method: "GET",
    path: "/deliveries",
    access: "registry:read",
    summary: "List deliveries to webhooks, newest first",
    query: {
      webhook: "Its webhook's name",
      status: "accepted, duplicate, refused or failed",
      since: "Came then or later: RFC 3339 or milliseconds since 1970",
      until: "Came before: RFC 3339 or milliseconds since 1970",
      ...PAGED,
    },
    handle: listDeliveries,
  },
  {
    method: "GET",
    path: "/deliveries/:id",
    access: "registry:read",
    summary: "One delivery: what came, and what became of it",
    handle: getDelivery,
  },
  {
    method: "POST",
    path: "/deliveries/:id/replay",
    access: "registry:write",
    summary: "Map and run a verified delivery again, as a new one",
    status: 202,
    handle: replayDelivery,
  },
];

const SCHEDULE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/schedules",
    access: "registry:read",
    summary: "When schedules are due, and what became of their last due times",
    query: PAGED,
    handle: listSchedules,
  },
  {
    method: "GET",
    path: "/schedules/:name",
    access: "registry:read",
    summary: "When one schedule is due, and what became of its last due time",
    handle: getSchedule,
  },
  {
    method: "GET",
    path: "/schedules/:name/firings",
    access: "registry:read",
    summary: "What became of its due times, newest first",
    query: PAGED,
    handle: listFirings,
  },
  {
    method: "POST",
    path: "/schedules/:name/trigger",
    access: "registry:write",
    summary: "Start its operation now, as the schedule would",
    status: 202,
    handle: triggerSchedule,
  },
];

export const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/ops/:name",
    access: "invoke",
    handlers: "also",
    summary: "Call an operation",
    query: {
      validate: "`only` checks the input and does not run it",
      delay_ms: "An asynchronous call begins not before. Milliseconds",
      expires_ms: "An asynchronous call that has not begun by then expires. Milliseconds",
    },
    body: JSON_TYPE,
    handle: callOperation,
  },
  { method: "GET", path: "/ops/:name", access: "invoke", summary: "An operation's types", handle: describeOperation },
  {
    method: "GET",
    path: REGISTRY,
    access: "kind:read",
    summary: "List entries",
    query: { filter: "Conditions by field, as JSON", ...PAGED },
    handle: registry.list,
  },
  { method: "GET", path: ENTRY, access: "kind:read", summary: "One entry", handle: registry.get },
  {
    method: "PUT",
    path: ENTRY,
    access: "kind:write",
    summary: "Create or replace an entry",
    body: JSON_TYPE,
    handle: registry.put,
  },
  {
    method: "PATCH",
    path: ENTRY,
    access: "kind:write",
    summary: "Change an entry by merge patch",
    body: JSON_TYPE,
    handle: registry.patch,
  },
  { method: "DELETE", path: ENTRY, access: "kind:write", summary: "Delete an entry", handle: registry.remove },
  {
    method: "GET",
    path: `${ENTRY}/revisions`,
    access: "kind:read",
    summary: "Its revisions",
    query: PAGED,
    handle: registry.revisions,
  },
  {
    method: "POST",
    path: `${ENTRY}/duplicate`,
    access: "kind:write",
    summary: "Copy an entry",
    body: JSON_TYPE,
    handle: registry.duplicate,
  },
  {
    method: "POST",
    path: `${ENTRY}/rollback`,
    access: "kind:write",
    summary: "Restore a revision",
    body: JSON_TYPE,
    handle: registry.rollback,
  },
  {
    method: "GET",
    path: "/changes",
    access: "registry:read",
    summary: "The change log, newest first",
    query: {
      kind: "Changes of entries of this kind",
      name: "Of entries of this name",
      author: "By this token: its name or id",
      since: "Then or later: RFC 3339",
      until: "Then or earlier: RFC 3339",
      ...PAGED,
    },
    handle: registry.changes,
  },
  {
    method: "GET",
    path: "/changes/:seq",
    access: "registry:read",
    summary: "One change, with its entry before and after",
    handle: registry.change,
  },
  {
    method: "GET",
    path: "/audit",
    access: "registry:read",
    summary: "Hold a page of the registry against its change log",
    query: PAGED,
    handle: registry.audit,
  },
  {
    method: "PUT",
    path: "/modules/:sha256",
    access: "registry:write",
    summary: "Store a module's code",
    status: 201,
    body: "text/javascript",
    handle: putModuleCode,
  },
  {
    method: "GET",
    path: "/modules/:sha256",
    access: "registry:read",
    summary: "A module's code",
    produces: "*/*",
    handle: getModuleCode,
  },
  ...EXECUTION_ROUTES,
  ...WEBHOOK_ROUTES,
  ...SCHEDULE_ROUTES,
  ...AGENT_ROUTES,
  ...SERVICE_ROUTES,
  {
    method: "POST",
    path: "/environments/:name/check",
    access: "registry:read",
    summary: "Look at an environment: reachable, allowed, how fast, what is missing",
    handle: checkEnvironment,
  },
  {
    method: "GET",
    path: "/jobs/:id",
    access: "public",
    summary: "A job fetches its order, with its ticket",
    produces: "*/*",
    handle: getJobOrder,
  },
  {
    method: "POST",
    path: "/jobs/:id",
    access: "public",
    summary: "A job reports its end, with its ticket",
    body: "application/octet-stream",
    handle: postJobReport,
  },
  {
    method: "GET",
    path: "/runners/:environment/connect",
    access: "runner",
    summary: "A runner connects, by WebSocket",
    produces: "*/*",
    status: 101,
    handle: connectRunner,
  },
  {
    method: "GET",
    path: "/runners/:environment",
    access: "registry:read",
    summary: "Runners of an environment, and calls that wait for one",
    handle: listRunners,
  },
  {
    method: "POST",
    path: "/mcp",
    access: "invoke",
    summary: "Operations as tools of agents: MCP over Streamable HTTP",
    query: MCP_VIEW,
    body: JSON_TYPE,
    produces: "*/*",
    handle: mcp,
  },
  {
    method: "GET",
    path: "/mcp",
    access: "invoke",
    summary: "Tells an agent when its tools change",
    query: MCP_VIEW,
    produces: "text/event-stream",
    handle: mcp,
  },
  {
    method: "GET",
    path: "/openapi.json",
    access: "registry:read",
    summary: "This description",
    query: { group: "Only operations of this group", ...PAGED, limit: "1 to 1000 operations, else all" },
    handle: openapi,
  },
  {
    method: "GET",
    path: "/docs",
    access: "public",
    summary: "A page to read and try the operations",
    produces: "*/*",
    handle: docs,
  },
  { method: "GET", path: "/health", access: "public", summary: "Whether the platform answers", handle: health },
  {
    method: "GET",
    path: "/metrics",
    access: "registry:read",
    summary: "Counters, histograms and gauges, for Prometheus",
    produces: "text/plain",
    handle: metrics,
  },
];

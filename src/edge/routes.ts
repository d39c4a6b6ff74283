/**
 * Every route of the platform in one table. A route states its scope or that it is public; there is no third way, so
 * a forgotten check cannot be a hole. Tests walk this table, and openapi.json is written from it.
 */
import { docs } from "./routes/docs.ts";
import { getExecution } from "./routes/executions.ts";
import { health } from "./routes/health.ts";
import { getModuleCode, putModuleCode } from "./routes/modules.ts";
import { openapi } from "./routes/openapi.ts";
import { callOperation, describeOperation } from "./routes/ops.ts";
import * as registry from "./routes/registry.ts";
import type { Route } from "./context.ts";

const REGISTRY = "/registry/:kind";
const ENTRY = "/registry/:kind/:name";

export const ROUTES: readonly Route[] = [
  { method: "POST", path: "/ops/:name", access: "invoke", summary: "Call an operation", handle: callOperation },
  { method: "GET", path: "/ops/:name", access: "invoke", summary: "An operation's types", handle: describeOperation },
  { method: "GET", path: REGISTRY, access: "kind:read", summary: "List entries", handle: registry.list },
  { method: "GET", path: ENTRY, access: "kind:read", summary: "One entry", handle: registry.get },
  { method: "PUT", path: ENTRY, access: "kind:write", summary: "Create or replace an entry", handle: registry.put },
  {
    method: "PATCH",
    path: ENTRY,
    access: "kind:write",
    summary: "Change an entry by merge patch",
    handle: registry.patch,
  },
  { method: "DELETE", path: ENTRY, access: "kind:write", summary: "Delete an entry", handle: registry.remove },
  {
    method: "GET",
    path: `${ENTRY}/revisions`,
    access: "kind:read",
    summary: "Its revisions",
    handle: registry.revisions,
  },
  {
    method: "POST",
    path: `${ENTRY}/duplicate`,
    access: "kind:write",
    summary: "Copy an entry",
    handle: registry.duplicate,
  },
  {
    method: "POST",
    path: `${ENTRY}/rollback`,
    access: "kind:write",
    summary: "Restore a revision",
    handle: registry.rollback,
  },
  { method: "GET", path: "/changes", access: "registry:read", summary: "The change log", handle: registry.changes },
  {
    method: "PUT",
    path: "/modules/:sha256",
    access: "registry:write",
    summary: "Store a module's code",
    handle: putModuleCode,
  },
  {
    method: "GET",
    path: "/modules/:sha256",
    access: "registry:read",
    summary: "A module's code",
    handle: getModuleCode,
  },
  { method: "GET", path: "/executions/:id", access: "invoke", summary: "One execution's record", handle: getExecution },
  { method: "GET", path: "/openapi.json", access: "registry:read", summary: "This description", handle: openapi },
  { method: "GET", path: "/docs", access: "public", summary: "A page to read and try the operations", handle: docs },
  { method: "GET", path: "/health", access: "public", summary: "Whether the platform answers", handle: health },
];

/** What stands in every OpenAPI document once: the platform's own routes, how to authenticate, and what goes wrong. */
import { ERRORS } from "../../core/errors.ts";
import type { Route } from "../context.ts";
import type { Json } from "./schemas.ts";

/** Any operation can be asked for it; one whose row says is_async answers so by itself. */
export const ACCEPTED = { $ref: "#/components/responses/Accepted" };
export const PROBLEM = { $ref: "#/components/responses/Problem" };

export function routeItems(routes: readonly Route[]): Record<string, Json> {
  const items: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-z0-9]+)/g, "{$1}");
    items[path] = { ...items[path], [route.method.toLowerCase()]: routeItem(route) };
  }
  return items;
}

function routeItem(route: Route): Json {
  const names = [...route.path.matchAll(/:([a-z0-9]+)/g)].map((match) => match[1]);
  const { produces = "application/json", status = 200, query = {}, body } = route;
  return {
    operationId: `${route.method.toLowerCase()}:${route.path}`,
    tags: ["platform"],
    summary: route.summary,
    ...(route.access === "public" ? { security: [] } : {}),
    parameters: [
      ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      ...Object.entries(query).map(([name, description]) => ({
        name,
        in: "query",
        description,
        schema: { type: "string" },
      })),
    ],
    ...(body === undefined ? {} : { requestBody: { required: true, content: { [body]: { schema: {} } } } }),
    responses: {
      [status]: { description: "Done", ...(status === 204 ? {} : { content: { [produces]: { schema: {} } } }) },
      "4XX": PROBLEM,
      default: PROBLEM,
    },
  };
}

const PROBLEM_SCHEMA = {
  type: "object",
  required: ["type", "title", "status", "detail", "code"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { enum: Object.keys(ERRORS) },
    hint: { type: "string" },
    after_ms: { type: "integer", description: "Milliseconds until the same may succeed" },
    errors: {
      type: "array",
      items: {
        type: "object",
        properties: { pointer: { type: "string" }, keyword: { type: "string" }, detail: { type: "string" } },
      },
    },
  },
};

export const SCHEMAS: Readonly<Record<string, Json>> = { Problem: PROBLEM_SCHEMA };

export const SECURITY = { token: { type: "http", scheme: "bearer", bearerFormat: "sy_<id>_<secret>" } };

export const RESPONSES = {
  Accepted: {
    description: "Kept, and it will run: the answer to an asynchronous operation, or to Prefer: respond-async",
    headers: { Location: { description: "The execution's record", schema: { type: "string" } } },
    content: {
      "application/json": {
        schema: { type: "object", required: ["execution_id"], properties: { execution_id: { type: "string" } } },
      },
    },
  },
  Problem: {
    description: "RFC 9457 problem",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  },
};

/**
 * GET /openapi.json: OpenAPI 3.1 of this registry as it is now. The platform's own routes come from the route table;
 * each operation is a path with its closed types. `?group=` narrows it, `?limit=` and `?cursor=` page through many
 * (the next cursor stands in `x-next-cursor`).
 */
import { ERRORS, SwitchyardError } from "../../core/errors.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import type { ClosedOperation } from "../../registry/describe.ts";
import type { Route, RouteContext } from "../context.ts";

const PAGE = 1_000;

type Json = Record<string, unknown>;

export async function openapi(context: RouteContext): Promise<Response> {
  const { platform } = context.var;
  const { group, limit, cursor } = context.req.query();
  if (limit !== undefined && !/^[1-9][0-9]{0,2}$|^1000$/.test(limit)) {
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the parameter limit: it must be 1 to ${PAGE}; it is "${limit.slice(0, 100)}"`,
    );
  }
  for (const [parameter, text] of Object.entries({ group, cursor })) {
    if (text === undefined || NAME_PATTERN.test(text)) continue;
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the parameter ${parameter}: it must be a name; it is "${text.slice(0, 100)}"`,
    );
  }
  const page = await platform.registry.describeOperations({
    limit: limit === undefined ? PAGE : Number(limit),
    ...(group === undefined ? {} : { group }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  return Response.json(
    openApiDocument(page.operations, {
      version: platform.version,
      server: new URL(context.req.url).origin,
      nextCursor: page.nextCursor,
      routes: context.var.routes,
    }),
    { headers: { "cache-control": "no-store" } },
  );
}

type DocumentOptions = { version: string; server: string; nextCursor: string | null; routes: readonly Route[] };

export function openApiDocument(operations: readonly ClosedOperation[], options: DocumentOptions): Json {
  const paths: Record<string, Json> = {};
  for (const route of options.routes) {
    const path = route.path.replaceAll(/:([a-z0-9]+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: routeItem(route) };
  }
  for (const operation of operations) paths[`/ops/${operation.name}`] = { post: operationItem(operation) };
  return {
    openapi: "3.1.1",
    info: {
      title: "Switchyard",
      version: options.version,
      summary: "Operations of this registry, and the platform's own routes.",
    },
    servers: [{ url: options.server }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "sy_<id>_<secret>" } },
      schemas: { Problem: PROBLEM_SCHEMA },
      responses: {
        Accepted: ACCEPTED,
        Problem: { description: "RFC 9457 problem", content: { "application/problem+json": { schema: PROBLEM } } },
      },
    },
    ...(options.nextCursor === null ? {} : { "x-next-cursor": options.nextCursor }),
  };
}

function operationItem(operation: ClosedOperation): Json {
  return {
    operationId: operation.name,
    tags: [operation.group],
    summary: operation.description === "" ? operation.name : operation.description,
    "x-revision": operation.revision,
    requestBody: {
      required: true,
      content: { "application/json": { schema: schemaOf(operation.input, operation.name, "input") } },
    },
    responses: {
      200: {
        description: "The output",
        content: { "application/json": { schema: schemaOf(operation.output, operation.name, "output") } },
      },
      202: ACCEPTED_RESPONSE,
      default: PROBLEM_RESPONSE,
    },
  };
}

/**
 * A stored type refers to its own root and `$defs` by fragment; inside this document a fragment would mean the
 * document, so each type gets an id of its own, which makes it a schema resource (JSON Schema 2020-12, 8.2.1).
 */
function schemaOf(schema: boolean | Json, name: string, side: "input" | "output"): boolean | Json {
  if (typeof schema === "boolean" || schema["$id"] !== undefined) return schema;
  return JSON.stringify(schema).includes('"$ref"') ? { $id: `switchyard:/ops/${name}/${side}`, ...schema } : schema;
}

function routeItem(route: Route): Json {
  const names = [...route.path.matchAll(/:([a-z0-9]+)/g)].map((match) => match[1]);
  const { produces = "application/json", status = 200, query = {}, body } = route;
  return {
    operationId: `${route.method.toLowerCase()} ${route.path}`,
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
    ...(body === undefined ? {} : { requestBody: { required: true, content: { [body]: { schema: true } } } }),
    responses: {
      [status]: { description: "Done", ...(status === 204 ? {} : { content: { [produces]: { schema: true } } }) },
      default: PROBLEM_RESPONSE,
    },
  };
}

/** Any operation can be asked for it; one whose row says is_async answers so by itself. */
const ACCEPTED_RESPONSE = { $ref: "#/components/responses/Accepted" };
const ACCEPTED = {
  description: "Kept, and it will run: the answer to an asynchronous operation, or to Prefer: respond-async",
  headers: { Location: { description: "The execution's record", schema: { type: "string" } } },
  content: {
    "application/json": {
      schema: { type: "object", required: ["execution_id"], properties: { execution_id: { type: "string" } } },
    },
  },
};
const PROBLEM = { $ref: "#/components/schemas/Problem" };
const PROBLEM_RESPONSE = { $ref: "#/components/responses/Problem" };
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

/**
 * What is none of the platform's routes: an operation's own path, through the same dispatch as POST /ops/:name, or nothing.
 * The query is the operation's, so what a call says about itself it says in headers.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { ParsedJson } from "../../core/json.ts";
import { dispatch } from "../../dispatch/dispatch.ts";
import { REST_METHODS, takesBody, type RestMethod } from "../../model/rest-path.ts";
import type { PathMatch } from "../../registry/path-table.ts";
import { readJson } from "../body.ts";
import type { Identity, RouteContext } from "../context.ts";
import { traceOf } from "../traced.ts";
import { pathSegments } from "../request-path.ts";
import { toResponse } from "./_answer.ts";
import { asynchronyOfHeaders, minRegistryRevisionOf } from "./_asynchrony.ts";
import { requestInput } from "./_request-input.ts";

/** What answers there, or the methods that something would answer to. HEAD is GET without the answer's body. */
export type Found = { match: PathMatch; method: RestMethod } | { allowed: readonly string[] };

export async function findPath(context: RouteContext): Promise<Found> {
  const segments = pathSegments(context.req.url);
  if (segments.some((segment) => segment === "." || segment === "..")) return { allowed: [] };
  const table = await context.var.platform.registry.restPaths(minRegistryRevisionOf(context.req.raw.headers));
  const asked = context.req.method === "HEAD" ? "GET" : context.req.method;
  const method = REST_METHODS.find((each) => each === asked);
  const match = method === undefined ? undefined : table.match(method, segments);
  if (method !== undefined && match !== undefined) return { match, method };
  return { allowed: table.methods(segments).flatMap((each) => (each === "GET" ? ["GET", "HEAD"] : [each])) };
}

export async function callAtPath(
  context: RouteContext,
  { match, method }: { match: PathMatch; method: RestMethod },
  identity: Identity,
): Promise<Response> {
  const request = context.req.raw;
  const { headers } = request;
  const asynchrony = asynchronyOfHeaders(headers);
  const trace = traceOf(context);
  const query = new URL(request.url).searchParams;
  const body = await bodyOf(request, method);
  const answer = await dispatch(
    {
      name: match.operation,
      ...minRegistryRevisionOf(headers),
      ...asynchrony,
      input: (operation) => requestInput(operation, { path: match.parameters, query, body }),
      principal: identity.principal,
      caller: identity.caller,
      depth: identity.depth,
      ...trace,
      limited: (limited) => void context.var.limits.push(limited),
    },
    context.var.platform.dispatch,
  );
  return toResponse(answer, { asynchrony, traceparent: trace.traceparent, validateOnly: false });
}

async function bodyOf(request: Request, method: RestMethod): Promise<ParsedJson | undefined> {
  const { headers } = request;
  const length = headers.get("content-length");
  if (!headers.has("transfer-encoding") && (length === null ? request.body === null : Number(length) === 0)) {
    return undefined;
  }
  if (takesBody(method)) return readJson(request);
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the request: ${method} takes its parameters from path and query, and no body; it has one`,
  );
}

/** The Hono application: the route table, who may use each route, and errors as problems. */
import { Hono } from "hono";
import { SwitchyardError, toErrorData, toSwitchyardError } from "../core/errors.ts";
import { logError } from "../core/log.ts";
import { KINDS, kindOfPlural } from "../model/entities.ts";
import { allows, type Principal } from "../model/principal.ts";
import type { Scope } from "../model/scope.ts";
import { authenticate } from "./authenticate.ts";
import type { Env, Identity, Platform, Route, RouteContext } from "./context.ts";
import { problem } from "./problem.ts";
import { limitToken, rateLimitHeaders, withRateLimits } from "./rate-limits.ts";
import { ROUTES } from "./routes.ts";
import { callAtPath, findPath } from "./routes/rest-paths.ts";
import { traced, type Tracing } from "./traced.ts";

/** Where the supervisor of executor processes reports, with a secret of its own. Not part of the public surface. */
const CONTROL_PATH = "/internal/executors";

export function createApp(platform: Platform): Hono<Env> {
  const app = new Hono<Env>();
  const { meter, tracer } = platform.telemetry ?? {};
  const failed = (thrown: unknown, context: RouteContext): Response => {
    const error = toSwitchyardError(thrown);
    if (error.code === "internal") logError("internal error", error.cause, { stack: error.stack });
    meter?.count("errors", error.code);
    return problem(toErrorData(error), rateLimitHeaders(context.get("limits") ?? []));
  };
  const tracing: Tracing | undefined = tracer === undefined ? undefined : { tracer, failed };
  for (const route of ROUTES) {
    const serve = async (context: RouteContext): Promise<Response> => {
      context.set("platform", platform);
      context.set("routes", ROUTES);
      context.set("limits", []);
      refuseForeignAccept(context.req.header("accept"), route);
      if (route.access !== "public") {
        const identity = await identify(context);
        checkAccess(route, context, identity.principal);
        checkHandler(route, context, identity.depth > 0);
        context.set("identity", identity);
      }
      return withRateLimits(await route.handle(context), context.get("limits"));
    };
    app.on(route.method, route.path, tracing === undefined ? serve : traced(route, serve, tracing));
  }
  const { control } = platform;
  if (control !== undefined) app.post(CONTROL_PATH, (context) => control(context.req.raw));
  app.notFound(async (context) => {
    context.set("platform", platform);
    context.set("limits", []);
    return withRateLimits(await elsewhere(context, app, tracing), context.get("limits"));
  });
  app.onError(failed);
  return app;
}

function checkAccess(route: Route, context: RouteContext, principal: Principal): void {
  const scope = scopeOf(route, context);
  const allowed =
    scope === "ops:invoke"
      ? // Which groups is the operation's question; here only whether the token may invoke or read anything at all.
        principal.scopes.some((held) => held.startsWith("ops:invoke")) || allows(principal, "registry:read")
      : allows(principal, scope);
  if (!allowed) throw forbidden(context, scope, principal);
}

function scopeOf({ access }: Route, context: RouteContext): Scope {
  switch (access) {
    case "public":
      throw new TypeError("a public route asks for no scope");
    case "invoke":
      return "ops:invoke";
    case "kind:read":
      return "registry:read";
    case "kind:write": {
      // An unknown kind is refused by the route itself, but only to those who may read at all.
      const kind = kindOfPlural(context.req.param("kind") ?? "");
      return kind === undefined ? "registry:read" : KINDS[kind].write;
    }
    case "runner":
      return `runner:${context.req.param("environment") ?? ""}`;
    default:
      return access;
  }
}

function forbidden(context: RouteContext, scope: Scope, principal: Principal): SwitchyardError {
  return new SwitchyardError(
    "forbidden",
    `Cannot ${context.req.method} ${context.req.path}: it needs the scope ${scope}; the token "${principal.name}" has ${principal.scopes.join(", ")}`,
  );
}

/** What a running handler holds is for a few routes, and some of these are for nobody else. */
function checkHandler({ handlers }: Route, context: RouteContext, isHandler: boolean): void {
  if (isHandler ? handlers !== undefined : handlers !== "only") return;
  throw new SwitchyardError(
    "forbidden",
    `Cannot ${context.req.method} ${context.req.path}: ${
      isHandler
        ? "a running handler may only call operations and look after what it called, through ctx"
        : "only a running handler may, through its ctx"
    }`,
  );
}

function refuseForeignAccept(accept: string | undefined, route: Pick<Route, "produces">): void {
  const produces: string = route.produces ?? "application/json";
  if (accept === undefined || accept === "*/*" || produces === "*/*") return;
  const taken = new Set<string>(["*/*", `${produces.split("/")[0]}/*`, produces, "application/problem+json"]);
  const takes = accept.split(",").some((part) => {
    const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
    return taken.has(type) && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
  if (!takes) {
    throw new SwitchyardError(
      "not_acceptable",
      `Cannot answer in that form: only ${produces} is offered; the Accept header asks for ${accept}`,
      { hint: `send "Accept: ${produces}", or no Accept header` },
    );
  }
}

/** A path of no route: an operation's own, or none that there is. The platform's routes have been looked at before. */
async function elsewhere(context: RouteContext, app: Hono<Env>, tracing: Tracing | undefined): Promise<Response> {
  const { method, path } = context.req;
  const ours = ROUTES.filter((route) => app.router.match(route.method, path)[0].length > 0);
  const found = ours.length > 0 ? { allowed: ours.map((route) => route.method) } : await findPath(context);
  if ("allowed" in found) return unknownRoute(method, path, [...new Set(found.allowed)]);
  const serve = async (): Promise<Response> => {
    refuseForeignAccept(context.req.header("accept"), {});
    return callAtPath(context, found, await identify(context));
  };
  if (tracing === undefined) return serve();
  return traced({ method: found.method, path: found.match.route }, serve, tracing)(context);
}

/** Who is asking, within the token's own rate limit. What a running handler asks for is no request of the token's. */
async function identify(context: RouteContext): Promise<Identity> {
  const { platform, limits } = context.var;
  const identity = await authenticate(context.req.raw.headers, platform);
  if (identity.depth === 0) await limitToken(identity.principal, limits, platform.rateLimits);
  return identity;
}

function unknownRoute(method: string, path: string, allowed: readonly string[]): Response {
  if (allowed.length === 0) {
    return problem({
      code: "route_not_found",
      detail: `Cannot ${method} ${path}: there is no such route`,
      hint: "GET /openapi.json",
    });
  }
  if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow: allowed.join(", ") } });
  return problem(
    { code: "method_not_allowed", detail: `Cannot ${method} ${path}: the route takes ${allowed.join(", ")}` },
    { allow: allowed.join(", ") },
  );
}

/** The Hono application: the route table, who may use each route, and errors as problems. */
import { Hono } from "hono";
import { SwitchyardError, toErrorData, toSwitchyardError } from "../core/errors.ts";
import { KINDS, kindOfPlural, type Scope } from "../model/entities.ts";
import { allows, type Principal } from "../model/principal.ts";
import { authenticate } from "./authenticate.ts";
import type { Env, Platform, Route, RouteContext } from "./context.ts";
import { problem } from "./problem.ts";
import { ROUTES } from "./routes.ts";

/** Where the supervisor of executor processes reports, with a secret of its own. Not part of the public surface. */
const CONTROL_PATH = "/internal/executors";

export function createApp(platform: Platform): Hono<Env> {
  const app = new Hono<Env>();
  for (const route of ROUTES) {
    app.on(route.method, route.path, async (context) => {
      context.set("platform", platform);
      context.set("routes", ROUTES);
      refuseForeignAccept(context.req.header("accept"), route);
      if (route.access !== "public") {
        const identity = await authenticate(context.req.raw.headers, platform);
        checkAccess(route, context, identity.principal);
        if (identity.depth > 0 && route.path !== "/ops/:name") {
          throw new SwitchyardError(
            "forbidden",
            "Cannot use this route: a running handler may only call operations, through ctx.call",
          );
        }
        context.set("identity", identity);
      }
      return route.handle(context);
    });
  }
  const { control } = platform;
  if (control !== undefined) app.post(CONTROL_PATH, (context) => control(context.req.raw));
  app.notFound((context) => unknownRoute(context.req.method, context.req.path, app));
  app.onError((thrown) => {
    const error = toSwitchyardError(thrown);
    if (error.code === "internal")
      console.error(JSON.stringify({ level: "error", message: String(error.cause), stack: error.stack }));
    return problem(toErrorData(error));
  });
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

function refuseForeignAccept(accept: string | undefined, route: Route): void {
  if (accept === undefined || accept === "*/*" || route.path === "/docs" || route.path === "/modules/:sha256") return;
  const takesJson = accept.split(",").some((part) => {
    const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    return !refused && /^(?:\*\/\*|application\/(?:\*|json|problem\+json))$/.test(type);
  });
  if (!takesJson) {
    throw new SwitchyardError(
      "not_acceptable",
      `Cannot answer in that form: only application/json is offered; the Accept header asks for ${accept}`,
    );
  }
}

function unknownRoute(method: string, path: string, app: Hono<Env>): Response {
  const allowed = [
    ...new Set(
      ROUTES.filter((route) => app.router.match(route.method, path)[0].length > 0).map((route) => route.method),
    ),
  ];
  if (allowed.length === 0) {
    return problem({
      code: "route_not_found",
      detail: `Cannot ${method} ${path}: there is no such route`,
      hint: "GET /openapi.json",
    });
  }
  return problem(
    { code: "method_not_allowed", detail: `Cannot ${method} ${path}: the route takes ${allowed.join(", ")}` },
    { allow: allowed.join(", ") },
  );
}

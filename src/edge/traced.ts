/** A span for each request, where requests are traced: named by the route, never by the path that was asked for. */
import type { Tracer } from "../telemetry/tracer.ts";
import { passOnContext, type TraceContext } from "../core/trace.ts";
import type { Route, RouteContext } from "./context.ts";

type Serve = (context: RouteContext) => Promise<Response>;

/** Whoever watches the platform asks these every few seconds. */
const UNTRACED: ReadonlySet<string> = new Set(["/health", "/metrics"]);

/** `failed` answers for what a route throws. */
export type Tracing = { tracer: Tracer; failed: (thrown: unknown, context: RouteContext) => Response };

export function traced(route: Pick<Route, "method" | "path">, serve: Serve, { tracer, failed }: Tracing): Serve {
  if (UNTRACED.has(route.path)) return serve;
  const start = {
    name: `${route.method} ${route.path}`,
    kind: "server" as const,
    attributes: { "http.request.method": route.method, "http.route": route.path },
  };
  return async (context) => {
    const { trace, span } = tracer.enter(context.req.raw.headers, start);
    context.set("trace", trace);
    let response: Response;
    try {
      response = await serve(context);
    } catch (thrown) {
      response = failed(thrown, context);
    }
    const { status } = response;
    // What the caller has to mend is no error of the server's, as the conventions say.
    span?.end({ "http.response.status_code": status }, status >= 500 ? { error: String(status) } : {});
    return response;
  };
}

/** What a call made by this request hands on. */
export function traceOf(context: RouteContext): TraceContext {
  return context.var.trace ?? passOnContext(context.req.raw.headers);
}

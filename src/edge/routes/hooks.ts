/** POST /hooks/:name, the one public way to start an operation; and what is known of such requests. */
import { LIMITS } from "../../core/limits.ts";
import { DELIVERY_STATUSES } from "../../model/delivery.ts";
import type { Received } from "../../triggers/webhooks/receive.ts";
import { readBytes, readJson } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { oneOf, queryOf, timeOf } from "../parameters.ts";
import { problem } from "../problem.ts";
import { traceOf } from "../traced.ts";
import { headersOf } from "./_answer.ts";
import { limitOf } from "./executions.ts";

const NO_STORE = { "cache-control": "no-store" };

export async function receiveWebhook(context: RouteContext): Promise<Response> {
  const { raw } = context.req;
  const { webhooks, telemetry } = context.var.platform;
  const { pathname, search } = new URL(raw.url);
  const name = context.req.param("name") ?? "";
  const received = await webhooks.receive(name, {
    method: raw.method,
    path: pathname + search,
    headers: raw.headers,
    trace: traceOf(context),
    body: () => readBytes(raw, LIMITS.jsonBytes),
  });
  // What is thrown is counted where it becomes an answer; this has become one here.
  if (received.result.kind === "refused") telemetry?.meter?.count("errors", received.result.error.code);
  return toResponse(name, received);
}

function toResponse(name: string, { deliveryId, result }: Received): Response {
  const headers: Record<string, string> = { ...NO_STORE, "delivery-id": deliveryId };
  switch (result.kind) {
    case "handshake":
      return Response.json({ challenge: result.challenge }, { headers });
    case "refused":
      // Not a token that would help here.
      if (result.error.code === "webhook_unverified") headers["www-authenticate"] = `Webhook realm="${name}"`;
      return problem(result.error, headers);
    case "answered": {
      const { answer, traceparent } = result;
      const { outcome, executionId = "" } = answer;
      Object.assign(headers, headersOf(answer, traceparent));
      if (answer.kept?.repeated === true) headers["delivery-duplicate"] = "true";
      if (outcome === undefined) {
        const body = { execution_id: executionId, delivery_id: deliveryId };
        headers["location"] = `/executions/${executionId}`;
        return Response.json(body, { status: 202, headers });
      }
      if (!outcome.ok) return problem(outcome.error, headers);
      return new Response(outcome.output, { headers: { ...headers, "content-type": "application/json" } });
    }
  }
}

export async function testWebhook(context: RouteContext): Promise<Response> {
  const { value } = await readJson(context.req.raw);
  // What is no object is refused by the function, with the rule.
  const test = value !== null && typeof value === "object" && !Array.isArray(value) ? value : { body: value };
  return run(context, "test_webhook", { ...test, name: context.req.param("name") ?? "" });
}

export async function listDeliveries(context: RouteContext): Promise<Response> {
  const query = queryOf(context, ["webhook", "status", "since", "until", "limit", "cursor"] as const);
  const { webhook, status, since, until, cursor } = query;
  return run(context, "list_delivery", {
    ...(webhook === undefined ? {} : { webhook }),
    ...(status === undefined ? {} : { status: oneOf(status, "status", DELIVERY_STATUSES) }),
    ...(since === undefined ? {} : { since: timeOf(since, "since") }),
    ...(until === undefined ? {} : { until: timeOf(until, "until") }),
    ...(cursor === undefined ? {} : { cursor }),
    limit: limitOf(query.limit),
  });
}

export function getDelivery(context: RouteContext): Promise<Response> {
  return run(context, "get_delivery", { id: context.req.param("id") ?? "" });
}

export function replayDelivery(context: RouteContext): Promise<Response> {
  return run(context, "replay_delivery", { id: context.req.param("id") ?? "" }, 202);
}

async function run(context: RouteContext, name: string, input: unknown, status = 200): Promise<Response> {
  const { identity, platform } = context.var;
  const { output } = await platform.runBuiltin(name, input, identity.principal);
  return Response.json(output, { status, headers: NO_STORE });
}

/**
 * The built-in `deliver_event`: tells a subscription of one event, as one attempt of an execution. What it maps to, where
 * it goes and what signs it is looked up at each try, so that a mended row, URL or secret is used by those that still wait.
 */
import { retryAfterMs } from "../../adapters/http/retry-after.ts";
import type { Cancellation } from "../../core/cancellation.ts";
import { SwitchyardError, toErrorData, toSwitchyardError, type ErrorCode } from "../../core/errors.ts";
import { sha256 } from "../../core/hash.ts";
import { passOnTrace } from "../../core/trace.ts";
import { dispatch, type DispatchPorts } from "../../dispatch/dispatch.ts";
import { compileExpression, type Expression } from "../../expressions/index.ts";
import { destinationFault } from "../../model/destination.ts";
import type { InvocationMeta, LogLine, RetryAdvice } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import { allows, type Principal } from "../../model/principal.ts";
import { triggerPrincipalId, type TriggerHandle } from "../../model/triggers.ts";
import { post, type Posted } from "./post.ts";
import { signatureHeaders } from "./sign.ts";

type Subscription = TriggerHandle<"subscription">;

/** What an operation refuses now, and will take when there is room. */
const LATER: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["rate_limited", "queue_full"]);

export type DeliverPorts = {
  subscription(name: string): Promise<Subscription | undefined>;
  /** Throws secret_unavailable. */
  secrets(subscription: Subscription): Promise<readonly string[]>;
  fetchOn(network: Subscription["network"]): (request: Request) => Promise<Response>;
  /** The receiver wants no more: the row is switched off, unless it was changed meanwhile. */
  switchOff(subscription: Subscription): Promise<void>;
  dispatch: DispatchPorts;
  userAgent: string;
  now(): number;
};

export type Delivery = {
  input: { subscription: string; event: { id?: unknown } };
  principal: Principal;
  meta: Pick<InvocationMeta, "execution_id" | "traceparent" | "timeout_ms">;
  depth: number;
  cancellation: Cancellation | undefined;
};

/** Throws what keeps it from being tried at all. */
export async function deliver(delivery: Delivery, ports: DeliverPorts): Promise<Outcome> {
  const { subscription: name, event } = delivery.input;
  const { principal } = delivery;
  // Nobody else may have the platform sign what they like.
  if (principal.id !== triggerPrincipalId("subscription", name) && !allows(principal, "registry:write")) {
    throw new SwitchyardError(
      "forbidden",
      `Cannot deliver for the subscription "${name}": only the subscription itself may, or who may write the registry; "${principal.name}" has ${principal.scopes.join(", ")}`,
    );
  }
  const row = await ports.subscription(name);
  if (row?.active !== true) {
    throw new SwitchyardError(
      "trigger_inactive",
      `Cannot deliver for the subscription "${name}": it must be there and active; it is ${row === undefined ? "deleted" : "switched off"}`,
      { hint: "opctl replay EXECUTION, once it is active again" },
    );
  }
  const content = await mapped(row, event);
  return row.operation === null
    ? send(row, content, delivery, ports)
    : start(row, row.operation, content, delivery, ports);
}

/** The registry hands out the same row until it changes. */
const compiled = new WeakMap<Subscription, Promise<Expression>>();

async function mapped(row: Subscription, event: object): Promise<unknown> {
  const { name, mapping } = row;
  if (mapping === null) return event;
  const expression = compiled.get(row) ?? compileExpression(mapping);
  compiled.set(row, expression);
  const content = await (await expression).evaluate(event);
  if (content !== undefined) return content;
  throw new SwitchyardError(
    "expression_failed",
    `Cannot deliver for the subscription "${name}": its mapping must make a value of the event; it makes none`,
  );
}

/** An attempt that comes again finds what the one before has started. */
async function start(
  { name, scopes }: Subscription,
  operation: string,
  input: unknown,
  { meta, depth }: Delivery,
  ports: DeliverPorts,
): Promise<Outcome> {
  try {
    const { executionId } = await dispatch(
      {
        name: operation,
        input: { text: JSON.stringify(input), value: input },
        principal: { id: triggerPrincipalId("subscription", name), name, scopes },
        caller: { type: "subscription", id: name },
        depth: depth + 1,
        traceparent: passOnTrace(meta.traceparent),
        async: true,
        idempotencyKey: meta.execution_id,
      },
      ports.dispatch,
    );
    return { ok: true, output: JSON.stringify({ execution_id: executionId }), logs: [] };
  } catch (thrown) {
    const error = toSwitchyardError(thrown);
    if (!LATER.has(error.code)) throw thrown;
    const retry: RetryAdvice =
      error.afterMs === undefined ? { kind: "may" } : { kind: "after", after_ms: error.afterMs };
    return { ok: false, error: toErrorData(error), retry, logs: [] };
  }
}

async function send(row: Subscription, content: unknown, delivery: Delivery, ports: DeliverPorts): Promise<Outcome> {
  const { name, network } = row;
  const url = row.url ?? "";
  const { meta, cancellation } = delivery;
  const fault = destinationFault(url, network);
  if (fault !== undefined) {
    throw new SwitchyardError(
      "destination_forbidden",
      `Cannot deliver for the subscription "${name}": its url ${fault}; it is ${url}`,
    );
  }
  const secrets = await ports.secrets(row);
  const body = JSON.stringify(content);
  const startedAt = ports.now();
  // The same at every try, so that the receiver can tell a repetition.
  const id = `msg_${(await sha256(`${name} ${String(delivery.input.event.id)}`)).slice(0, 32)}`;
  const signed = await signatureHeaders({ id, timestampS: Math.floor(startedAt / 1_000), body }, secrets);
  const came = await post(ports.fetchOn(network), {
    url,
    headers: {
      ...signed,
      "content-type": "application/json",
      "user-agent": ports.userAgent,
      traceparent: passOnTrace(meta.traceparent),
    },
    body,
    timeoutMs: meta.timeout_ms,
    cancellation,
  });
  const durationMs = ports.now() - startedAt;
  if (came.kind === "answer" && came.status === 410) await ports.switchOff(row);
  return outcomeOf(came, { name, url, secrets, timeoutMs: meta.timeout_ms, durationMs, now: ports.now() });
}

type Try = {
  name: string;
  url: string;
  secrets: readonly string[];
  timeoutMs: number;
  durationMs: number;
  now: number;
};

function outcomeOf(came: Posted, made: Try): Outcome {
  const { name, url, secrets, timeoutMs, durationMs, now } = made;
  const { origin } = new URL(url);
  const logs: LogLine[] = [];
  const said = (message: string, level: LogLine["level"]) => {
    logs.push({ level, message: redacted(message, secrets), at_ms: now });
  };
  const failed = (code: ErrorCode, isNow: string, retry: RetryAdvice = { kind: "may" }): Outcome => {
    const detail = redacted(`Cannot deliver for the subscription "${name}" to ${origin}: ${isNow}`, secrets);
    return { ok: false, error: { code, detail }, retry, logs };
  };
  switch (came.kind) {
    case "timeout":
      return failed("timeout", `it must answer within ${timeoutMs} ms; it has not`);
    case "execution_cancelled":
      return failed("execution_cancelled", "its end must still be wanted; it is cancelled", { kind: "never" });
    case "unreachable":
      return failed("destination_unreachable", `it must be reachable; it is not: ${came.reason}`);
    case "answer": {
      const { status, text, headers } = came;
      const isOk = status >= 200 && status < 300;
      said(`${status} in ${durationMs} ms${text === "" ? "" : `: ${text}`}`, isOk ? "info" : "warn");
      if (isOk) return { ok: true, output: JSON.stringify({ status, duration_ms: durationMs }), logs };
      if (status >= 300 && status < 400) {
        const where = headers.get("location") ?? "nowhere";
        return failed(
          "delivery_refused",
          `the URL must be the receiver's own, for redirects are not followed; it answers ${status} and leads to ${where}`,
        );
      }
      if (status === 410) {
        return failed(
          "delivery_refused",
          "the receiver must want it; it answers 410 (Gone), so the subscription is switched off",
          { kind: "never" },
        );
      }
      const afterMs = status === 429 || status === 503 ? retryAfterMs(headers, now) : undefined;
      const retry: RetryAdvice = afterMs === undefined ? { kind: "may" } : { kind: "after", after_ms: afterMs };
      return failed(
        "delivery_refused",
        `the receiver must answer 2xx; it answers ${status}${text === "" ? "" : `: ${text.slice(0, 500)}`}`,
        retry,
      );
    }
  }
}

/** A receiver may send back what it was sent. */
function redacted(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, secret.replace(/^whsec_/, "")])
    .filter((value) => value !== "")
    .reduce((left, value) => left.replaceAll(value, "[secret]"), text);
}

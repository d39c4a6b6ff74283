/**
 * One call of an operation that a service provides: a replica is waited for, asked, and left again; another one is asked where that
 * is safe. It is where nothing has run, and after a failure where the row, or HTTP's meaning of the method, says that doing it twice
 * does no more than doing it once.
 */
import { Cancellation } from "../../core/cancellation.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Implementation } from "../../model/resolved.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { outcomeOfThrown, unstarted, type AdapterCall, type AdapterPorts } from "../adapter.ts";
import { callHeaders, idempotencyKey } from "../http/call-headers.ts";
import type { Exchanged } from "../http/exchange.ts";
import { unanswered, type Asked } from "../http/service-outcome.ts";
import { endedOutcome, untilEnd } from "../http/until-end.ts";
import type { ServiceHost, ServiceRequest } from "../service-host.ts";
import { withoutSecrets } from "../without-secrets.ts";
import { isTrouble, outcomeOf } from "./answer.ts";
import type { Entered, Left, ServicesPort } from "./port.ts";
import type { ServiceCall } from "./request.ts";

export type InvokeServicePorts = Pick<AdapterPorts, "now" | "sleep"> & {
  services: ServicesPort;
  /** How the environment's adapter reaches services; undefined: it has none. */
  host(adapter: string): ServiceHost | undefined;
  telemetry(): Telemetry | undefined;
};

type Service = Extract<Implementation, { kind: "service" }>;
type Failed = Outcome & { ok: false };
/** What came of one request. `again`: it is safe to send it once more. */
type Tried = { outcome: Outcome; left: Left; again: boolean };

const MAX_REPLICAS = 3;
/** Of requests that nobody took, to whomever. Nothing has run, and where one was lost the next is on its way. */
const MAX_SENDS = 6;
const FIRST_PAUSE_MS = 50;
/** What a replica is given beyond the time-out to say itself that it ran past it. */
const GRACE_MS = 500;
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** Never throws for what the service does. */
export async function invokeService(
  call: AdapterCall,
  { service, request }: { service: Service; request: ServiceCall },
  ports: InvokeServicePorts,
): Promise<Outcome> {
  const { operation, meta, options } = call;
  const { exposure } = service;
  const endsAt = ports.now() + meta.timeout_ms;
  const mayRepeat = operation.repeatable === true || SAFE.has(service.method);
  const tried = new Set<string>();
  const wentAround = new Set<string>();
  let last: Outcome | undefined;
  for (let sends = 0; ;) {
    const wait = { waitMs: Math.max(0, endsAt - ports.now()), avoid: tried, cancellation: options?.cancellation };
    const entered = await ports.services.enter(exposure, wait).catch(notEntered);
    // What ran and failed is the outcome, whatever kept the next try from beginning.
    if (!entered.ok) return last !== undefined && !isUnstarted(last) ? last : entered;
    const { replica, via } = entered;
    const { outcome, left, again } = await tryOne(call, { entered, request, service, endsAt, mayRepeat }, ports);
    entered.leave(left);
    last = await withoutSecrets(outcome, entered.environment);
    sends += 1;
    // A way that does not lead there says nothing of the replica: there may be another to the same.
    if (left === "not_sent" && via === "direct" && !wentAround.has(replica.replica)) wentAround.add(replica.replica);
    else tried.add(replica.replica);
    if (!again || sends >= MAX_SENDS || tried.size >= MAX_REPLICAS || ports.now() >= endsAt) return last;
    if (left === "not_sent" && sends > 1) {
      await ports.sleep(Math.min(FIRST_PAUSE_MS * 2 ** (sends - 2), Math.max(0, endsAt - ports.now())));
    }
  }
}

type Try = { entered: Entered; request: ServiceCall; service: Service; endsAt: number; mayRepeat: boolean };

async function tryOne(call: AdapterCall, given: Try, ports: InvokeServicePorts): Promise<Tried> {
  const { entered, request, service, endsAt, mayRepeat } = given;
  const { operation, meta } = call;
  const { environment, replica, via } = entered;
  const host = ports.host(environment.adapter);
  if (host === undefined) {
    const detail = `Cannot reach the service "${replica.service}": its environment must lead to services; "${environment.name}" is of the adapter "${environment.adapter}", which does not`;
    return { outcome: unstarted("environment_misconfigured", detail), left: "cancelled", again: false };
  }
  const span = ports.telemetry()?.tracer?.begin(meta, {
    name: `${request.method} ${service.path}`,
    kind: "client",
    attributes: {
      "switchyard.service": replica.service,
      "switchyard.replica": replica.replica,
      "switchyard.via": via,
      ...(replica.place === "" ? {} : { "switchyard.runner": replica.place }),
    },
  });
  const timeoutMs = Math.max(1, endsAt - ports.now());
  const sent: ServiceRequest = {
    method: request.method,
    path: `${entered.basePath}${request.path}`,
    headers: {
      "idempotency-key": idempotencyKey(meta),
      ...request.headers,
      ...callHeaders({ ...meta, ...span?.trace, timeout_ms: timeoutMs }),
    },
    ...(request.body === undefined ? {} : { body: request.body }),
    timeoutMs,
    execution: meta.execution_id,
    attempt: meta.attempt,
  };
  const came = await sendUntilEnd(call, { ...given, host, sent });
  const asked = { operation: operation.name, what: `"${operation.name}" at "${service.exposure}"`, nowMs: ports.now() };
  const tried = judge(came, { ...asked, mayRepeat, others: entered.others, output: operation.output });
  const status = "kind" in came && came.kind === "answer" ? came.status : undefined;
  span?.end({ "http.response.status_code": status }, tried.outcome.ok ? {} : { error: tried.outcome.error.code });
  return tried;
}

async function sendUntilEnd(
  { operation, meta, options }: AdapterCall,
  { entered, host, sent }: Try & { host: ServiceHost; sent: ServiceRequest },
): Promise<Exchanged | Failed> {
  const stop = new Cancellation();
  const { replica, via, environment } = entered;
  return untilEnd<Exchanged | Failed>(
    { timeoutMs: sent.timeoutMs + GRACE_MS, cancellation: options?.cancellation },
    async () => {
      try {
        return await host.send({ ...replica, via }, { ...sent, cancellation: stop }, environment);
      } catch (thrown) {
        // A mistake of the adapter's; the replica must be left all the same.
        return { kind: "broken_off", reason: String(thrown) };
      }
    },
    (why) => {
      stop.request();
      return endedOutcome(operation.name, meta.timeout_ms)(why) as Failed;
    },
  );
}

function judge(
  came: Exchanged | Failed,
  given: Asked & { mayRepeat: boolean; others: boolean; output: AdapterCall["operation"]["output"] },
): Tried {
  const { mayRepeat, others } = given;
  if ("ok" in came) {
    return { outcome: came, left: came.error.code === "timeout" ? "failed" : "cancelled", again: false };
  }
  switch (came.kind) {
    case "answer": {
      const left = came.status >= 500 ? "failed" : "answered";
      // One that answers so will answer so again; one that broke off may be gone, and another on its way.
      return { outcome: outcomeOf(came, given), left, again: mayRepeat && others && isTrouble(came) };
    }
    case "not_sent":
      return { outcome: unanswered(came, given), left: "not_sent", again: true };
    case "broken_off":
      return { outcome: unanswered(came, given), left: "failed", again: mayRepeat };
    case "too_large":
    case "not_text":
      return { outcome: unanswered(came, given), left: "answered", again: false };
  }
}

/** The registry does not answer: nothing was sent. */
function notEntered(thrown: unknown): Failed {
  const outcome = outcomeOfThrown(thrown);
  if (outcome.ok) throw new TypeError("a failure is no success");
  return { ...outcome, unstarted: true };
}

function isUnstarted(outcome: Outcome): boolean {
  return !outcome.ok && outcome.unstarted === true;
}

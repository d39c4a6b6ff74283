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
type Tried = { outcome: Outcome; left: Left; again: boolean; answered?: true };

/** Of requests that a replica may have worked on. */
const MAX_RUNS = 3;
/** Of all, those that nobody took included. Nothing has run, and where one was lost the next is on its way. */
const MAX_SENDS = 6;
const FIRST_PAUSE_MS = 50;
/** What a replica is given beyond the time-out to say itself that it ran past it. */
const GRACE_MS = 500;
/** Timers of others may go off so much sooner. */
const EARLY_MS = 5;
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
  let ran: Outcome | undefined;
  // That something may have run is the truth of the whole call, whatever kept the next try from beginning.
  const truth = (outcome: Outcome): Outcome => (ran !== undefined && isUnstarted(outcome) ? ran : outcome);
  let runs = 0;
  for (let sends = 1; ; sends++) {
    const wait = { waitMs: Math.max(0, endsAt - ports.now()), avoid: tried, cancellation: options?.cancellation };
    const entered = await ports.services.enter(exposure, wait).catch(notEntered);
    if (!entered.ok) return truth(entered);
    const { replica, via } = entered;
    const tryThis = { entered, request, service, endsAt, mayRepeat };
    const { outcome: came, left, again, answered } = await tryOne(call, tryThis, ports);
    entered.leave(left);
    const outcome = await withoutSecrets(came, entered.environment);
    if (!isUnstarted(outcome)) ran = outcome;
    if (left !== "not_sent") runs += 1;
    // What answers is there, and would say the same again; what broke off may be gone, and its successor on its way.
    const isWaste = answered === true && !entered.others;
    const isSameAgain = tried.has(replica.replica);
    // A way that does not lead there says nothing of the replica: there may be another to the same.
    if (left === "not_sent" && via === "direct" && !wentAround.has(replica.replica)) wentAround.add(replica.replica);
    else tried.add(replica.replica);
    const isEnough = runs >= MAX_RUNS || sends >= MAX_SENDS || ports.now() >= endsAt;
    if (!again || isWaste || isEnough) return truth(outcome);
    if (isSameAgain) {
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
  const sentTo = await sendUntilEnd(call, { ...given, host, sent });
  // Whoever carries it says so a moment before we do: it broke off because its time was over, which is no loss of the replica's.
  const isLate = "kind" in sentTo && sentTo.kind === "broken_off" && ports.now() >= endsAt - EARLY_MS;
  const came = isLate ? (endedOutcome(operation.name, meta.timeout_ms)("timeout") as Failed) : sentTo;
  const asked = {
    operation: operation.name,
    what: `"${operation.name}" at "${service.exposure}"`,
    nowMs: ports.now(),
    request: `${request.method} ${entered.basePath}${service.path} of the service "${replica.service}" (exposure "${service.exposure}")`,
  };
  const tried = judge(came, { ...asked, mayRepeat, output: operation.output });
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
  given: Asked & { mayRepeat: boolean; output: AdapterCall["operation"]["output"] },
): Tried {
  const { mayRepeat } = given;
  if ("ok" in came) {
    return { outcome: came, left: came.error.code === "timeout" ? "failed" : "cancelled", again: false };
  }
  switch (came.kind) {
    case "answer": {
      const left = came.status >= 500 ? "failed" : "answered";
      return { outcome: outcomeOf(came, given), left, again: mayRepeat && isTrouble(came), answered: true };
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

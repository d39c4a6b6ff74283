/** Orders about replicas, which go to one runner and take no slot there: how they are put, and what is read from the answers. */
import * as v from "valibot";
import { SwitchyardError, type ErrorData } from "../../core/errors.ts";
import { beginTrace } from "../../core/trace.ts";
import type { EnvironmentHandle } from "../../model/environment.ts";
import { joinFrame, parseResult, splitFrame } from "../../model/frame.ts";
import { HOST_PROTOCOL, type HostOrder, type HttpAnswerHead, type ReplicaWork } from "../../model/host-protocol.ts";
import type { PoolOrder } from "../../model/runner-protocol.ts";
import { REPLICA_STATUSES, RunnerAddressSchema, type ReplicaReport } from "../../model/services.ts";
import type { Exchanged } from "../http/exchange.ts";
import { configOf } from "./_config.ts";

type Put = {
  environment: EnvironmentHandle;
  service: string;
  /** The runner. */
  place: string;
  work: ReplicaWork;
  /** Of a request. */
  body?: string;
  timeoutMs: number;
  execution: string;
  attempt: number;
  /** Our own, of the call that it is for; a new one begins otherwise. */
  traceparent?: string | undefined;
};

/** Names this isolate's orders apart from those of others, which count as well. */
let isolate: string | undefined;
let orders = 0;

/** A later start or stop of the same replica joins one that is under way; nothing else is ever joined to anything. */
export function orderFor(put: Put): PoolOrder {
  const { environment, service, place, work, body = "", timeoutMs, attempt } = put;
  const config = configOf(environment);
  isolate ??= crypto.randomUUID().slice(0, 8);
  orders += 1;
  const id = `${put.execution}/${isolate}.${orders}`;
  const isJoined = work.do === "start" || work.do === "stop";
  const execution = (isJoined ? `${work.do}/${work.replica}` : id).slice(-128);
  const order: HostOrder = {
    protocol: HOST_PROTOCOL,
    isolate: "",
    work: { kind: "replica", ...work },
    meta: {
      execution_id: put.execution,
      attempt,
      operation: service,
      revision: 1,
      caller: { type: "service", id: service },
      traceparent: put.traceparent ?? beginTrace().traceparent,
      timeout_ms: timeoutMs,
      capability: "",
    },
    platform_url: null,
  };
  return {
    id,
    execution,
    attempt,
    item: null,
    runnable: "replica",
    isolate: "",
    requires: {},
    capabilities: {},
    order: joinFrame(order, body),
    timeout_ms: timeoutMs,
    wait_ms: Math.min(config.wait_ms, timeoutMs),
    hold: false,
    max_queued: config.max_queued,
    resume_ms: config.resume_ms,
    on: place,
    beside: true,
  };
}

/** The output of a start, a stop or a look, as JSON; or the failure that stands in its place. */
export function readOutput(reply: string): { ok: true; output: unknown } | { ok: false; error: ErrorData } {
  const result = parseResult(reply);
  return result.ok ? { ok: true, output: JSON.parse(result.output) as unknown } : { ok: false, error: result.error };
}

/** What became of a request. A runner is not trusted: what cannot be read is a request that broke off. */
export function readExchange(reply: string): Exchanged {
  const [head, output] = splitFrame(reply);
  if (!head.startsWith('{"ok":true')) {
    const result = parseResult(reply);
    return result.ok ? unreadable("a success that says so oddly") : exchangedOf(result.error);
  }
  const [answer, text] = splitFrame(output);
  try {
    const head: unknown = JSON.parse(answer);
    if (!isAnswerHead(head)) return unreadable("it has no status from 100 to 599, or headers that are no texts");
    return { kind: "answer", status: head.status, headers: new Headers(head.headers), text };
  } catch (thrown) {
    return unreadable(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/** By hand, for it is asked of every request. */
function isAnswerHead(head: unknown): head is HttpAnswerHead {
  if (typeof head !== "object" || head === null || !("status" in head) || !("headers" in head)) return false;
  const { status, headers } = head;
  if (!Number.isInteger(status) || (status as number) < 100 || (status as number) > 599) return false;
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) return false;
  return Object.values(headers).every((value) => typeof value === "string");
}

/** `unstarted`: whatever it says, the server has not seen the request. */
export function exchangedOf({ code, detail }: ErrorData, { unstarted = false } = {}): Exchanged {
  if (unstarted) return { kind: "not_sent", reason: detail };
  switch (code) {
    case "environment_unavailable":
    case "environment_throttled":
    case "environment_forbids":
    case "environment_misconfigured":
    case "environment_refused":
    case "host_outdated":
      return { kind: "not_sent", reason: detail };
    case "output_too_large":
      return { kind: "too_large" };
    case "output_not_json":
      return { kind: "not_text" };
    default:
      return { kind: "broken_off", reason: detail };
  }
}

function unreadable(why: string): Exchanged {
  return { kind: "broken_off", reason: `the runner must answer what HTTP can say: ${why}` };
}

const share = v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(1)));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const ReportSchema = v.object({
  replica: v.string(),
  service: v.string(),
  revision: v.string(),
  place: v.string(),
  status: v.picklist(REPLICA_STATUSES),
  address: v.nullable(RunnerAddressSchema),
  cpu: share,
  count,
  ready: count,
  ended: v.nullable(v.string()),
  lines: v.array(v.string()),
});

/** Throws implementation_failed for what is no list of reports. */
export function readReports(output: unknown, place: string): ReplicaReport[] {
  const read = v.safeParse(v.array(ReportSchema), output);
  if (read.success) {
    for (const report of read.output) report.place = place;
    return read.output;
  }
  throw new SwitchyardError(
    "implementation_failed",
    `Cannot read what the runner "${place}" says of its replicas: ${read.issues[0].message}`,
  );
}

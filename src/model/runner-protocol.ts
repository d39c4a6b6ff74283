/**
 * What a runner and its pool say to each other over one WebSocket. A message of the socket is a line with a JSON list of
 * heads, then their bodies (orders and replies, see host-protocol.ts) one after another; `size` counts a body's UTF-16 units.
 *
 *     [{"type":"run","fence":"k3v.1",…,"size":210},{"type":"ack","fence":"k3v.0"}] \n order
 *
 * A fence names one push of one order, for ever. `ping` alone is a sign of life and answered `pong` without waking anybody.
 */
import * as v from "valibot";
import { CapabilitiesSchema } from "./implementations.ts";
import type { Capabilities } from "./environment.ts";
import type { Outcome } from "./outcome.ts";

/** Raised when an older runner or an older pool would misunderstand. */
export const RUNNER_PROTOCOL = 1;
/** The WebSocket's subprotocol. */
export const RUNNER_SUBPROTOCOL = "switchyard.runner";

export const PING = "ping";
export const PONG = "pong";
/** How often a runner gives a sign of life: with work in flight, and without. */
export const BEAT_BUSY_MS = 2_000;
export const BEAT_IDLE_MS = 20_000;
/** Silent for longer, it has lost what it was given; an idle one, its place. */
export const LEASE_MS = 6_000;
export const LEASE_IDLE_MS = 65_000;
/** Results that nobody has taken yet: how many a runner keeps, and how long. */
export const KEPT_RESULTS = 256;
export const KEPT_MS = 10 * 60_000;
/** Of orders that take no slot: nobody joins them later, so they are kept for a broken connection only. */
export const KEPT_BESIDE_MS = 60_000;
/** Orders that a runner may have or have done: a hello says no more. */
export const MOST_JOBS = 4_096;
/** How often a runner tells of the replicas that it has, beside whenever one changes. */
export const REPLICAS_EVERY_MS = 5_000;

/** Why the pool closes a socket. What `retry` is false for, the runner does not try again. */
export const CLOSE = {
  outdated: { code: 4001, retry: false },
  name_taken: { code: 4002, retry: false },
  refused: { code: 4003, retry: false },
  replaced: { code: 4004, retry: false },
  silent: { code: 4005, retry: true },
  drained: { code: 4006, retry: false },
} as const;

const FENCE = /^[A-Za-z0-9_-]{1,32}\.[0-9]{1,15}$/;
const fence = v.pipe(v.string(), v.regex(FENCE));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const word = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "must be letters, digits, dots, dashes"));

/** What to type where no runner takes some work. `beside`: there are others, whose names a new one cannot have. `allow`: what that work takes. */
export function startHint(environment: string, { beside, allow }: { beside: boolean; allow?: string }): string {
  const name = beside ? " --name NAME" : "";
  const allowed = allow === undefined ? "" : ` --allow '${allow}'`;
  const start = `opctl runner start --environment ${environment}${name}${allowed}, on a machine that has what it needs`;
  return beside
    ? `${start}; NAME: one that no runner there has. Or start again one of those, with what it lacks`
    : start;
}

/** A job that a runner has: which call it is of. */
const JobSchema = v.object({
  fence,
  execution: v.pipe(v.string(), v.maxLength(128)),
  attempt: count,
  item: v.nullable(count),
  /** It takes no slot. */
  beside: v.optional(v.literal(true)),
});
export type RunnerJob = v.InferOutput<typeof JobSchema>;

export const HelloSchema = v.object({
  type: v.literal("hello"),
  protocol: v.number(),
  version: v.pipe(v.string(), v.maxLength(64)),
  name: word,
  /** One process of a runner: what it was given, it knows. */
  instance: word,
  slots: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256)),
  capabilities: CapabilitiesSchema,
  /** Sorts of work that its allow-list has anything of. */
  runs: v.pipe(v.array(word), v.maxLength(8)),
  running: v.pipe(v.array(JobSchema), v.maxLength(MOST_JOBS)),
  finished: v.pipe(v.array(JobSchema), v.maxLength(MOST_JOBS)),
});
export type Hello = v.InferOutput<typeof HelloSchema>;
/** What of a hello is kept with the socket, so that it outlives the pool's sleep. At most ATTACHMENT_BYTES. */
export type Declared = Pick<Hello, "version" | "name" | "instance" | "slots" | "capabilities" | "runs">;
export const ATTACHMENT_BYTES = 2_000;

const size = v.optional(count);
const HeadsSchema = v.pipe(v.array(v.unknown()), v.maxLength(MOST_JOBS));

export const FromRunnerSchema = v.variant("type", [
  HelloSchema,
  /** The body is the reply. Repeated until it is acknowledged. */
  v.object({ type: v.literal("result"), fence, size }),
  v.object({ type: v.literal("drain") }),
  /** The body is ReplicaReport[]: every replica of a service that it has, and those that have just ended. */
  v.object({ type: v.literal("replicas"), size }),
]);
export type FromRunner = v.InferOutput<typeof FromRunnerSchema>;

export const ToRunnerSchema = v.variant("type", [
  v.object({ type: v.literal("welcome"), environment: v.string() }),
  /** The body is the order. */
  v.object({ ...JobSchema.entries, type: v.literal("run"), size }),
  v.object({ type: v.literal("cancel"), fence }),
  v.object({ type: v.literal("ack"), fence }),
  /** Nobody waits yet: keep the result, it may be asked for. */
  v.object({ type: v.literal("keep"), fence }),
  v.object({ type: v.literal("claim"), fence }),
  v.object({ type: v.literal("refused"), fence, reason: v.string() }),
]);
export type ToRunner = v.InferOutput<typeof ToRunnerSchema>;

/** Heads that nearly all messages have, known at a glance: their schemas take ten times as long to say the same. */
const AT_A_GLANCE = new Map<unknown, (head: Partial<Record<string, unknown>>) => boolean>([
  [FromRunnerSchema, (head) => head["type"] === "result" && isFence(head["fence"]) && isSize(head["size"])],
  [
    ToRunnerSchema,
    (head) => {
      const { type, fence: named, execution, attempt, item, beside } = head;
      if (!isFence(named) || type === "ack") return type === "ack" && isFence(named);
      const isJob = typeof execution === "string" && execution.length <= 128 && isCount(attempt);
      const isWhole = (item === null || isCount(item)) && (beside === true || beside === undefined);
      return type === "run" && isJob && isWhole && isSize(head["size"]);
    },
  ],
]);

export type Parcel<Head> = { head: Head; body: string };

export function packParcels(parcels: readonly Parcel<FromRunner | ToRunner>[]): string {
  const heads = parcels.map(({ head, body }) => (body === "" ? head : { ...head, size: body.length }));
  return `${JSON.stringify(heads)}\n${parcels.map(({ body }) => body).join("")}`;
}

/** Throws (valibot's or JSON's error) for what is no message of this protocol. */
export function unpackParcels<Head>(
  text: string,
  schema: v.GenericSchema<unknown, Head & { size?: number | undefined }>,
): Parcel<Head>[] {
  const end = text.indexOf("\n");
  const heads = v.parse(HeadsSchema, JSON.parse(end === -1 ? text : text.slice(0, end)));
  const isKnown = AT_A_GLANCE.get(schema);
  let at = end + 1;
  return heads.map((raw) => {
    const isUsual = typeof raw === "object" && raw !== null && isKnown?.(raw) === true;
    const head = isUsual ? (raw as Head & { size?: number }) : v.parse(schema, raw);
    const body = text.slice(at, at + (head.size ?? 0));
    if (body.length !== (head.size ?? 0)) throw new TypeError("a body is shorter than its head says");
    at += body.length;
    return { head, body };
  });
}

function isFence(value: unknown): boolean {
  return typeof value === "string" && FENCE.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isSize(value: unknown): boolean {
  return value === undefined || isCount(value);
}

/** One order for a pool. Times are milliseconds. */
export type PoolOrder = {
  /** Of this call alone: what it is cancelled by. */
  id: string;
  execution: string;
  attempt: number;
  item: number | null;
  /** The sort of work: `module`, `python`, `process`, `container`, `http`. */
  runnable: string;
  /** Prefers a runner that has run it before. Empty: no matter. */
  isolate: string;
  requires: Capabilities;
  /** What the environment's row says that all of its runners have. */
  capabilities: Capabilities;
  order: string;
  /** From the moment that a runner is given it. */
  timeout_ms: number;
  /** How long it may wait for a slot; and, when `hold`, for a runner that fits. */
  wait_ms: number;
  hold: boolean;
  max_queued: number;
  resume_ms: number;
  /** The name of the runner that it is for, and no other. */
  on?: string;
  /** It takes no slot: requests to services, and what keeps them. */
  beside?: true;
};

export type RunnerView = {
  name: string;
  version: string;
  slots: number;
  /** Calls that take a slot. */
  in_flight: number;
  /** Of services, those that have not ended; and how many of each service. */
  replicas: number;
  services: Readonly<Record<string, number>>;
  capabilities: Capabilities;
  runs: readonly string[];
  state: "connected" | "draining" | "lost";
  last_seen_at: number;
};
export type PoolStatus = { runners: RunnerView[]; queued: number };

/** A pool, as its adapter and the routes see it. */
export interface RunnerPoolPort {
  /** The reply, or why there is none. Never throws for what a runner does. */
  run(order: PoolOrder): Promise<string | Outcome>;
  cancel(id: string): Promise<void>;
  status(): Promise<PoolStatus>;
}

/**
 * What starts operations without a caller, as rows: webhooks (a request from outside), schedules (the clock),
 * subscriptions (the end of an execution). A trigger has rights of its own, `scopes`, which are never more than those of
 * whoever wrote the row; what it starts has the principal `KIND:NAME`.
 */
import * as v from "valibot";
import type { AgentRow } from "./agents.ts";
import { NameSchema } from "./names.ts";
import { ScopeSchema } from "./scope.ts";
import type { ServiceRow } from "./services.ts";

const DAY_MS = 24 * 60 * 60_000;

function integer(least: number, most: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
}

/** What `tolerance_s` is when nothing else is said, as Standard Webhooks and Stripe have it. */
export const TOLERANCE_S = 300;

/** JSONata (src/expressions). null: what is said where it is used. */
const ExpressionSchema = v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(10_000))), null);
const HeaderSchema = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "must be a header's name"),
);
const description = v.optional(v.pipe(v.string(), v.maxLength(4000)), "");
const active = v.optional(v.boolean(), true);
/** What the trigger's executions may do, through ctx.call too. */
const scopes = v.optional(v.pipe(v.array(ScopeSchema), v.minLength(1), v.maxLength(32)), ["ops:invoke"]);
/** Names of secrets in the registry. Several while one is being replaced by another. */
const secrets = v.optional(v.pipe(v.array(NameSchema), v.maxLength(8)), []);

export const WEBHOOK_SCHEMES = ["standard", "github", "stripe", "slack", "hmac", "token", "none"] as const;
export type WebhookScheme = (typeof WEBHOOK_SCHEMES)[number];

/** For the scheme `hmac`: how the sender signs. */
const HmacSchema = v.strictObject({
  algorithm: v.optional(v.picklist(["sha256", "sha512", "sha1"]), "sha256"),
  encoding: v.optional(v.picklist(["hex", "base64", "base64url"]), "hex"),
  header: HeaderSchema,
  /** What stands before the signature in its header, such as `sha256=`. */
  prefix: v.optional(v.pipe(v.string(), v.maxLength(100)), ""),
  /** What is signed: text with {body}, {timestamp}, {id}, {method}, {path} in it. */
  signed: v.optional(v.pipe(v.string(), v.maxLength(500), v.includes("{body}")), "{body}"),
  /** Headers that hold the time (seconds or milliseconds since 1970, or RFC 3339) and the id of the delivery. */
  timestamp_header: v.optional(v.nullable(HeaderSchema), null),
  id_header: v.optional(v.nullable(HeaderSchema), null),
});
export type HmacSettings = v.InferOutput<typeof HmacSchema>;

/** For the scheme `token`: where the shared token stands. */
const TokenHeaderSchema = v.strictObject({
  name: HeaderSchema,
  /** What stands before the token. */
  prefix: v.optional(v.pipe(v.string(), v.maxLength(100)), ""),
});

/** `POST /hooks/NAME` calls the operation, once the request has proved that it comes from who knows a secret. */
export const WebhookSchema = v.strictObject({
  name: NameSchema,
  description,
  active,
  operation: NameSchema,
  scopes,
  scheme: v.picklist(WEBHOOK_SCHEMES),
  secrets,
  /** Must be true for the scheme `none`, and false for every other. */
  unsigned: v.optional(v.boolean(), false),
  hmac: v.optional(v.nullable(HmacSchema), null),
  /** For the scheme `token`; null there: `authorization: Bearer …`. */
  token_header: v.optional(v.nullable(TokenHeaderSchema), null),
  /** How far the sender's clock may be from ours, where the scheme signs a time. Seconds. */
  tolerance_s: v.optional(integer(1, 3600), TOLERANCE_S),
  /** The request → the operation's input. null: its body. */
  mapping: ExpressionSchema,
  /** `accepted`: 202 once it is kept. `result`: the operation's output, when it ends within its time-out. */
  response: v.optional(v.picklist(["accepted", "result"]), "accepted"),
  /** The request → what two deliveries of one event have in common. null: what the scheme has for it. */
  dedupe: ExpressionSchema,
});
export type Webhook = v.InferOutput<typeof WebhookSchema>;

/** Whether the sender signs a time, so that a request grows stale and `tolerance_s` means something. */
export function signsTime({ scheme, hmac }: Pick<Webhook, "scheme" | "hmac">): boolean {
  return scheme === "standard" || scheme === "stripe" || scheme === "slack" || hmac?.timestamp_header != null;
}
/** What may be left out, where another setting gives it no meaning. */
export const SCHEDULE_DEFAULTS = { time_zone: "UTC", catch_up_ms: DAY_MS } as const;

/** Calls the operation at due times. `active: false` is a pause. */
export const ScheduleSchema = v.strictObject({
  name: NameSchema,
  description,
  active,
  operation: NameSchema,
  scopes,
  /** Five fields, or six with seconds first; or null with `every_ms`. */
  cron: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(200))), null),
  /** An IANA time zone, for cron. */
  time_zone: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64)), SCHEDULE_DEFAULTS.time_zone),
  /** A fixed interval, counted from the epoch. Milliseconds. */
  every_ms: v.optional(v.nullable(integer(1_000, 366 * DAY_MS)), null),
  /** Given to the operation as it is. */
  input: v.optional(v.unknown(), {}),
  /** What happens at a due time while the execution of an earlier one goes on. */
  overlap: v.optional(v.picklist(["allow", "skip", "queue", "cancel_previous"]), "skip"),
  /** Due times that passed while the platform was down: forgotten, made up for by the last of them, or by each. */
  catch_up: v.optional(v.picklist(["none", "last", "all"]), "last"),
  /** How far back `catch_up` looks. Milliseconds. */
  catch_up_ms: v.optional(integer(0, 31 * DAY_MS), SCHEDULE_DEFAULTS.catch_up_ms),
  /** Each start is put off by up to this, always the same for one due time. Milliseconds. */
  jitter_ms: v.optional(integer(0, DAY_MS), 0),
});
export type Schedule = v.InferOutput<typeof ScheduleSchema>;

/** Some ten to thirty hours, full jitter being drawn. */
export const DELIVERY_RETRY = { max_attempts: 12, initial_ms: 60_000, max_ms: 12 * 60 * 60_000 };
/** How long one try at a URL may take. */
export const DELIVERY_TIMEOUT_MS = 15_000;

/** How executions end, as a subscription asks for it. */
export const ENDINGS = ["succeeded", "failed", "dead", "cancelled", "expired"] as const;

/** At the end of an execution: calls a URL, signed as Standard Webhooks says, or another operation. */
export const SubscriptionSchema = v.strictObject({
  name: NameSchema,
  description,
  active,
  /** Whose executions; of all operations where both this and `groups` are empty. */
  operations: v.optional(v.pipe(v.array(NameSchema), v.maxLength(256)), []),
  groups: v.optional(v.pipe(v.array(NameSchema), v.maxLength(64)), []),
  on: v.optional(v.pipe(v.array(v.picklist(ENDINGS)), v.minLength(1), v.maxLength(ENDINGS.length)), [...ENDINGS]),
  /** One of the two. */
  url: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(2048), v.url())), null),
  operation: v.optional(v.nullable(NameSchema), null),
  scopes,
  /** Sign what is sent to the URL; the receiver takes any of them. */
  secrets,
  /** Must be true for a URL without secrets. */
  unsigned: v.optional(v.boolean(), false),
  /** `private` reaches the team's own network and needs the scope admin. */
  network: v.optional(v.picklist(["public", "private"]), "public"),
  /** The event → the body, or the operation's input. null: the event. */
  mapping: ExpressionSchema,
  /** For a URL: how long one try may take, and how often it is tried. null: the defaults. */
  timeout_ms: v.optional(v.nullable(integer(100, 60_000)), null),
  retry: v.optional(
    v.nullable(
      v.strictObject({
        max_attempts: v.optional(integer(1, 100), DELIVERY_RETRY.max_attempts),
        initial_ms: v.optional(integer(1, DAY_MS), DELIVERY_RETRY.initial_ms),
        max_ms: v.optional(integer(1, DAY_MS), DELIVERY_RETRY.max_ms),
      }),
    ),
    null,
  ),
});
export type Subscription = v.InferOutput<typeof SubscriptionSchema>;

export const TRIGGER_KINDS = ["webhook", "schedule", "subscription", "agent", "service"] as const;
export type TriggerKind = (typeof TRIGGER_KINDS)[number];
export type TriggerManifest = {
  webhook: Webhook;
  schedule: Schedule;
  subscription: Subscription;
  agent: AgentRow;
  service: ServiceRow;
};

/** A row as what goes by it uses it. `digest` changes with anything in it. */
export type RowHandle<M> = M & {
  readonly digest: string;
  readonly revision: number;
  /** RFC 3339. */
  readonly updated_at: string;
};
/** One trigger's row, as what fires it uses it. */
export type TriggerHandle<K extends TriggerKind = TriggerKind> = RowHandle<TriggerManifest[K]>;

/** The principal's id of what a trigger starts. Token ids have no colon. */
export function triggerPrincipalId(kind: TriggerKind, name: string): string {
  return `${kind}:${name}`;
}

export function parseTriggerPrincipalId(id: string): { kind: TriggerKind; name: string } | undefined {
  const [kind, name] = id.split(":");
  const found = TRIGGER_KINDS.find((each) => each === kind);
  return found === undefined || name === undefined ? undefined : { kind: found, name };
}

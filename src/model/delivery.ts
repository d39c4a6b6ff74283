/** A delivery: one request to a webhook, as its record tells it. Times are RFC 3339 in views. */
import type { ErrorCode, Issue } from "../core/errors.ts";

/**
 * `accepted`: it started an execution, or was answered. `duplicate`: one like it had been accepted, and its execution is
 * this one's. `refused`: it was not verified. `failed`: it was, and then it could not be read or run, or ended badly.
 */
export const DELIVERY_STATUSES = ["accepted", "duplicate", "refused", "failed"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** What never changes of a delivery. Headers are those that a mapping sees, without anything that proves or admits. */
export type DeliveryHead = {
  code: ErrorCode | null;
  detail: string | null;
  /** Places that broke a rule, the first of them. */
  errors: readonly Issue[];
  execution_id: string | null;
  /** The delivery that this one repeats, on somebody's demand. */
  replay_of: string | null;
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  /** What the sender has for the event, and when it signed. */
  event_id: string | null;
  signed_at_ms: number | null;
  body_size_bytes: number;
};

/** Its body goes beside it, as bytes. */
export type NewDelivery = DeliveryHead & {
  id: string;
  webhook: string;
  at_ms: number;
  status: DeliveryStatus;
  /** It came from who knows a secret; or the webhook asks for none. */
  verified: boolean;
};

export type DeliveryView = {
  id: string;
  webhook: string;
  at: string;
  status: DeliveryStatus;
  verified: boolean;
  code: ErrorCode | null;
  detail: string | null;
  execution_id: string | null;
  replay_of: string | null;
  method: string;
  path: string;
  event_id: string | null;
  signed_at: string | null;
  body_size_bytes: number;
  /** Unverified requests in the same minute that have no record of their own. */
  others: number;
};

/** `body` is null where it is no UTF-8; `body_kept`: nothing of it is missing. */
export type DeliveryContent = DeliveryView & {
  headers: Record<string, string>;
  errors: readonly Issue[];
  body: string | null;
  body_base64: string | null;
  body_kept: boolean;
};

export type DeliveryQuery = {
  webhook?: string;
  status?: DeliveryStatus;
  since?: number;
  until?: number;
  limit: number;
  cursor?: string;
};

/** A delivery as it is kept, and as it is answered. */
import type { DeliveryContent, DeliveryQuery, DeliveryView, NewDelivery } from "../../model/delivery.ts";
import type { Kept } from "./delivery-messages.ts";
import { encodeBase64 } from "./schemes/encoding.ts";
import type { Bytes } from "./schemes/scheme.ts";

export type StoredDelivery = { delivery: NewDelivery; others: number; body: Bytes };

export interface Deliveries {
  /** undefined: there is none of that id, or it is no longer kept. */
  find(id: string): Promise<StoredDelivery | undefined>;
  /** Newest first. */
  list(query: DeliveryQuery): Promise<{ items: DeliveryView[]; next_cursor: string | null }>;
}

export function contentOf({ delivery, others, body }: StoredDelivery): DeliveryContent {
  const text = utf8Of(body);
  return {
    ...viewOf(delivery, others),
    headers: delivery.headers,
    errors: delivery.errors,
    body: text ?? null,
    body_base64: text === undefined ? encodeBase64(body) : null,
    body_kept: isWhole({ delivery, body }),
  };
}

export function isWhole({ delivery, body }: Pick<StoredDelivery, "delivery" | "body">): boolean {
  return body.byteLength === delivery.body_size_bytes;
}

export function viewOf(delivery: NewDelivery, others: number): DeliveryView {
  const { at_ms: at, signed_at_ms: signedAt, headers: _headers, errors: _errors, ...rest } = delivery;
  return {
    ...rest,
    at: new Date(at).toISOString(),
    signed_at: signedAt === null ? null : new Date(signedAt).toISOString(),
    others,
  };
}

export function parsed({ head }: Pick<Kept, "head">): NewDelivery {
  return JSON.parse(head) as NewDelivery;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A cut may go through a character, so a body that is not whole may be no text where all of it would be. */
function utf8Of(body: Bytes): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

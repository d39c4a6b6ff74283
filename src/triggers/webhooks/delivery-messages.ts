/** What passes between the edge and the logs of deliveries. Groups travel as one JSON text, bodies beside it as bytes. */
import type { NewDelivery } from "../../model/delivery.ts";

export type Sent = { delivery: NewDelivery; others: number };

/** `head` is JSON of a NewDelivery. */
export type Kept = { head: string; others: number; body: ArrayBuffer };

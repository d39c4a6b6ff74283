/** The logs of deliveries, with deliveries that the tests make. */
import { env } from "cloudflare:workers";
import { newDeliveryId } from "../../src/core/ids.ts";
import type { NewDelivery } from "../../src/model/delivery.ts";
import { createDeliveries } from "../../src/triggers/webhooks/deliveries.ts";
import { DeliveryLog } from "../../src/triggers/webhooks/delivery-log.ts";
import { DeliveryRecorder } from "../../src/triggers/webhooks/delivery-recorder.ts";
import { nameOfLog, shardOfWebhook } from "../../src/triggers/webhooks/delivery-shards.ts";

export { DeliveryLog };

const bindings = env as unknown as { DELIVERIES: DurableObjectNamespace<DeliveryLog> };

export class TestWorld {
  readonly #work: Promise<void>[] = [];
  readonly recorder = new DeliveryRecorder({
    log: (shard) => bindings.DELIVERIES.getByName(nameOfLog(shard)),
    background: (work) => void this.#work.push(work),
    sleep: async () => undefined,
    now: Date.now,
  });
  readonly deliveries = createDeliveries({ namespace: bindings.DELIVERIES, recorder: this.recorder });

  log(webhook: string): DurableObjectStub<DeliveryLog> {
    return bindings.DELIVERIES.getByName(nameOfLog(shardOfWebhook(webhook)));
  }

  delivery(changes: Partial<NewDelivery> = {}): NewDelivery {
    const { webhook = "hook", at_ms: at = Date.now() } = changes;
    return {
      id: newDeliveryId(shardOfWebhook(webhook), at),
      webhook,
      at_ms: at,
      status: "accepted",
      verified: true,
      code: null,
      detail: null,
      errors: [],
      execution_id: null,
      replay_of: null,
      method: "POST",
      path: "/hooks/hook",
      headers: { "content-type": "application/json" },
      event_id: null,
      signed_at_ms: null,
      body_size_bytes: 2,
      ...changes,
    };
  }

  /** Records them, and waits until they are written. */
  async write(deliveries: readonly NewDelivery[], body: Uint8Array<ArrayBuffer> = new Uint8Array(2)): Promise<void> {
    for (const delivery of deliveries) this.recorder.add(delivery, body);
    while (this.#work.length > 0) await this.#work.shift();
  }
}

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler;

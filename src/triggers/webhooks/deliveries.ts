/** Reading deliveries over the logs: one of them for an id or a webhook, all of them for a list of all. */
import { SwitchyardError } from "../../core/errors.ts";
import { firstDeliveryIdAt, shardOfDeliveryId } from "../../core/ids.ts";
import type { DeliveryQuery, DeliveryView } from "../../model/delivery.ts";
import type { DeliveryNamespace } from "./delivery-log.ts";
import type { Kept } from "./delivery-messages.ts";
import type { DeliveryRecorder } from "./delivery-recorder.ts";
import { DELIVERY_SHARDS, nameOfLog, shardOfWebhook } from "./delivery-shards.ts";
import { parsed, viewOf, type Deliveries, type StoredDelivery } from "./delivery-view.ts";

/** `dl_`, two digits of the shard, `_`: what follows sorts by time over all shards. */
const TIME_AT = "dl_00_".length;
const CURSOR = /^[0-9a-z]{25}$/;

export function createDeliveries({
  namespace,
  recorder,
}: {
  namespace: DeliveryNamespace;
  recorder: Pick<DeliveryRecorder, "unwritten">;
}): Deliveries {
  const log = (shard: number) => namespace.getByName(nameOfLog(shard));

  return {
    async find(id: string): Promise<StoredDelivery | undefined> {
      const shard = shardOfDeliveryId(id);
      if (shard === undefined || shard >= DELIVERY_SHARDS) return undefined;
      const kept: Kept | undefined = recorder.unwritten(id) ?? (await log(shard).find(id));
      if (kept === undefined) return undefined;
      return { delivery: parsed(kept), others: kept.others, body: new Uint8Array(kept.body) };
    },

    async list(query: DeliveryQuery): Promise<{ items: DeliveryView[]; next_cursor: string | null }> {
      const { webhook, limit, cursor } = query;
      if (cursor !== undefined && !CURSOR.test(cursor)) throw badCursor(cursor);
      const shards =
        webhook === undefined
          ? Array.from({ length: DELIVERY_SHARDS }, (_, shard) => shard)
          : [shardOfWebhook(webhook)];
      const offered = await Promise.all(
        shards.map((shard) => {
          const prefix = firstDeliveryIdAt(shard, 0).slice(0, TIME_AT);
          const until = query.until === undefined ? "~" : firstDeliveryIdAt(shard, query.until).slice(TIME_AT);
          const before = prefix + (cursor !== undefined && cursor < until ? cursor : until);
          const from = query.since === undefined ? prefix : firstDeliveryIdAt(shard, query.since);
          return log(shard).list({ ...query, limit: limit + 1 }, { from, before });
        }),
      );
      const items = offered
        .flat()
        .map((kept) => viewOf(parsed(kept), kept.others))
        .toSorted((a, b) => (a.id.slice(TIME_AT) < b.id.slice(TIME_AT) ? 1 : -1));
      const page = items.slice(0, limit);
      return { items: page, next_cursor: items.length > limit ? (page.at(-1)?.id.slice(TIME_AT) ?? null) : null };
    },
  };
}

function badCursor(cursor: string): SwitchyardError {
  return new SwitchyardError(
    "input_invalid",
    `Cannot go on after "${cursor.slice(0, 100)}": the cursor must be the next_cursor of the page before; it is not`,
    { errors: [{ pointer: "/cursor", keyword: "cursor", detail: "must be the next_cursor of the page before" }] },
  );
}

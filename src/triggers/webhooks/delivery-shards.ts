/** Which log keeps a webhook's deliveries. All of one webhook are in one, so that listing them asks one. */

/** Fixed at install: the shard stands in each delivery's id. */
export const DELIVERY_SHARDS = 8;

/** FNV-1a, 32 bits: on the way of every request, so without waiting for a digest. */
export function shardOfWebhook(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % DELIVERY_SHARDS;
}

/** The name under which a log's object is found. */
export function nameOfLog(shard: number): string {
  return `deliveries-${shard}`;
}

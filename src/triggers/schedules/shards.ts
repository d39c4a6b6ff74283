/** Which scheduler object keeps a schedule. Their number is fixed when a platform is installed. */

export const SCHEDULER_SHARDS = 4;

export function shardOfSchedule(name: string): number {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % SCHEDULER_SHARDS;
}

/** The name under which a shard's object is found. */
export function nameOfScheduler(shard: number): string {
  return `scheduler-${shard}`;
}

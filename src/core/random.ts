/**
 * Random bytes in small portions. Asking the runtime costs about a microsecond whatever the size, and every call needs
 * an id and a span; so they are drawn in bulk, and a byte is never handed out twice.
 */
const POOL_BYTES = 4_096;

let pool: Uint8Array | undefined;
let used = 0;

/** A view that is valid until the next call: read it at once. At most POOL_BYTES. */
export function randomBytes(count: number): Uint8Array {
  // Not at load time: on Cloudflare the global scope has no randomness.
  pool ??= crypto.getRandomValues(new Uint8Array(POOL_BYTES));
  if (used + count > POOL_BYTES) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}

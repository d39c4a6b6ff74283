/** The header Retry-After (RFC 9110 §10.2.3): seconds, or a date. */
const MAX_MS = 24 * 60 * 60_000;

/** Milliseconds from now, at most a day; undefined where there is no such header, or none that can be read. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_MS);
}

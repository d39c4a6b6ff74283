/** `500ms`, `10s`, `2m`, `1h`, or plain milliseconds → milliseconds. */
import { SwitchyardError } from "../src/core/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  const ms = Math.round(Number(match?.[1]) * (UNIT_MS[match?.[2] ?? ""] ?? Number.NaN));
  if (Number.isSafeInteger(ms) && ms > 0) return ms;
  throw new SwitchyardError(
    "usage",
    `Cannot read the duration "${text}": it must be a positive number with ms, s, m, h or d, such as 10s`,
  );
}

/** Identifiers: sortable by time of making, unguessable, safe in URLs and file names. */

import { randomBytes } from "./random.ts";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford base 32

function base32(value: number, length: number): string {
  let text = "";
  for (let rest = value, place = 0; place < length; place++) {
    text = ALPHABET[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** `length` characters of 5 random bits each. */
export function randomId(length: number): string {
  let text = "";
  for (const byte of randomBytes(length)) text += ALPHABET[byte & 31];
  return text;
}

/**
 * An execution's id: `ex_<shard: 2 hex digits>_<time: 9 characters><random: 16 characters, 80 bits>`. The shard's
 * number is part of the id, so that a look-up touches exactly one object.
 */
export function newExecutionId(shard: number, nowMs: number): string {
  return firstExecutionIdAt(shard, nowMs) + randomId(16);
}

/** No execution of the shard that began before `timeMs` has an id as high as this, and none after has a lower one. */
export function firstExecutionIdAt(shard: number, timeMs: number): string {
  return firstIdAt("ex", shard, timeMs);
}

/** The shard written in an execution's id, or undefined when the text is not one. */
export function shardOfExecutionId(id: string): number | undefined {
  return shardOf("ex", id);
}

/** A delivery's id, made as an execution's is. */
export function newDeliveryId(shard: number, nowMs: number): string {
  return firstDeliveryIdAt(shard, nowMs) + randomId(16);
}

export function firstDeliveryIdAt(shard: number, timeMs: number): string {
  return firstIdAt("dl", shard, timeMs);
}

export function shardOfDeliveryId(id: string): number | undefined {
  return shardOf("dl", id);
}

function firstIdAt(prefix: "ex" | "dl", shard: number, timeMs: number): string {
  // A time beyond what nine characters hold (1970 to 3084) is still before or after all others.
  const time = Math.min(Math.max(timeMs, 0), 32 ** 9 - 1);
  return `${prefix}_${shard.toString(16).padStart(2, "0")}_${base32(time, 9)}`;
}

function shardOf(prefix: "ex" | "dl", id: string): number | undefined {
  const match = /^([a-z]{2})_([0-9a-f]{2})_[0-9a-hjkmnp-tv-z]{25}$/.exec(id);
  return match?.[2] === undefined || match[1] !== prefix ? undefined : Number.parseInt(match[2], 16);
}

/**
 * What a scheme is: how a request says who sent it, and what stands for its event. A scheme only reads; whether what it
 * read is true is decided in one place, verify.ts. Everything is read strictly: what could be meant in two ways is refused.
 */
import type { Webhook } from "../../../model/triggers.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/** A request as it came. `path` is the path with its query. */
export type Incoming = { method: string; path: string; headers: Headers; body: Bytes };

export type Refusal = { ok: false; reason: string };

/** Still to be proved. `signed` must have been signed by one of the secrets with one of the signatures. */
type MacClaim = {
  ok: true;
  kind: "mac";
  signatures: readonly Bytes[];
  signed: Bytes;
  id?: string;
  /** Part of what is signed. Milliseconds since the epoch. */
  timestampMs?: number;
};
/** The token itself is what was sent. */
type TokenClaim = { ok: true; kind: "token"; token: string };
export type Claim = MacClaim | TokenClaim | { ok: true; kind: "none" };

/** What a request to a webhook is signed with, for tests of it. */
export type Signable = { method: string; path: string; body: Bytes; secret: string; id: string; timestampMs: number };

export type Scheme = {
  /** The hash of its HMAC. */
  hash?(webhook: Webhook): string;
  /** A secret's text as key; undefined when the text is none. Never empty. */
  key?(secret: string): Bytes | undefined;
  claim(incoming: Incoming, webhook: Webhook): Claim | Refusal;
  /** Headers that hold the proof: nobody behind the verification sees them. In lower case. */
  proofHeaders(webhook: Webhook): readonly string[];
  /** What the sender gives an event and its repetitions in common, where that stands in the body. */
  eventIn?(body: unknown): string | undefined;
  /** The JSON to answer a request with that only asks whether somebody is there. */
  handshake?(body: unknown): { challenge: string } | undefined;
  /** The headers that prove it. */
  sign(request: Signable, webhook: Webhook): Promise<Record<string, string>>;
};

export function refused(reason: string): Refusal {
  return { ok: false, reason };
}

const encoder = new TextEncoder();

export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes;
}

export function utf8Key(secret: string): Bytes | undefined {
  return secret === "" ? undefined : utf8(secret);
}

export function joinBytes(parts: readonly Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}

/** Seconds since the epoch, as senders write them. */
export function secondsOf(text: string): number | undefined {
  return /^[0-9]{1,12}$/.test(text) ? Number(text) * 1_000 : undefined;
}

/** A field of an object that came from outside, when it is a text. */
export function textAt(value: unknown, field: string): string | undefined {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, field)) return undefined;
  const found = (value as Record<string, unknown>)[field];
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** Reads headers that must be there once. Of several with one name Fetch makes one text, which fits no pattern here. */
export function headerOf(headers: Headers, name: string, pattern: RegExp): { text: string } | Refusal {
  const text = headers.get(name);
  if (text === null) return refused(`the header ${name} is missing`);
  return pattern.test(text)
    ? { text }
    : refused(`the header ${name} is malformed; it is ${JSON.stringify(text.slice(0, 100))}`);
}

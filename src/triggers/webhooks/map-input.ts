/** From a verified request to the operation's input, and to what it has in common with its repetitions. */
import { canonicalJson, sha256 } from "../../core/hash.ts";
import { parseJsonText, type ParsedJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { compileExpression, type Expression } from "../../expressions/index.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import { listsOf, readBody, type ReadBody } from "./read-body.ts";
import { SCHEMES } from "./schemes/index.ts";
import type { Bytes } from "./schemes/scheme.ts";

/** A request that was verified, now or when it came. Its headers are those of visible-headers.ts. */
export type Delivered = {
  webhook: TriggerHandle<"webhook">;
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Bytes;
  /** As verify.ts has them. */
  id: string | undefined;
  timestampMs: number | undefined;
  signed: Bytes | undefined;
};

export type Mapped =
  | { kind: "input"; input: ParsedJson; dedupe: string | undefined }
  | { kind: "handshake"; challenge: string };

/** Throws what the body or an expression is refused for. */
export async function mapInput(delivered: Delivered): Promise<Mapped> {
  const { webhook } = delivered;
  const scheme = SCHEMES[webhook.scheme];
  const read = readBody({ ...delivered, scheme: webhook.scheme });
  const asked = scheme.handshake?.(read.body.value);
  if (asked !== undefined) return { kind: "handshake", challenge: asked.challenge };
  const context = webhook.mapping === null && webhook.dedupe === null ? undefined : contextOf(delivered, read);
  const input = webhook.mapping === null ? read.body : await mapped(webhook, context);
  const dedupe = webhook.dedupe === null ? await usualKey(delivered, read) : await ownKey(webhook, context);
  return { kind: "input", input, dedupe };
}

function contextOf({ webhook, method, path, headers, id, timestampMs }: Delivered, { body, event }: ReadBody) {
  const url = new URL(path, "http://webhook");
  return {
    body: body.value,
    headers,
    query: Object.fromEntries(listsOf(url.searchParams)),
    method,
    path: url.pathname,
    webhook: webhook.name,
    id: id ?? null,
    timestamp: timestampMs === undefined ? null : new Date(timestampMs).toISOString(),
    ...(event === undefined ? {} : { event }),
  };
}

const compiled = new WeakMap<TriggerHandle<"webhook">, Map<string, Promise<Expression>>>();

/** Compiled once for a row as it is. */
function expressionOf(webhook: TriggerHandle<"webhook">, source: string): Promise<Expression> {
  const known = compiled.get(webhook) ?? new Map<string, Promise<Expression>>();
  compiled.set(webhook, known);
  const expression = known.get(source) ?? compileExpression(source);
  known.set(source, expression);
  return expression;
}

async function mapped(webhook: TriggerHandle<"webhook">, context: unknown): Promise<ParsedJson> {
  const text = JSON.stringify(await (await expressionOf(webhook, webhook.mapping ?? "")).evaluate(context));
  return { value: parseJsonText(text), text };
}

/** Each sort of key has a word of its own, so that none is ever another's. null says that this request is like no other. */
async function ownKey(webhook: TriggerHandle<"webhook">, context: unknown): Promise<string | undefined> {
  const value = await (await expressionOf(webhook, webhook.dedupe ?? "")).evaluate(context);
  return value === null ? undefined : keyed("own", canonicalJson(value));
}

/** The surest first: what the sender has for the event and has signed, then that nobody else could have made the request. */
function usualKey(
  { webhook, id, signed }: Delivered,
  { body, event, eventInBody }: ReadBody,
): Promise<string | undefined> | undefined {
  if (id !== undefined) return keyed("id", id);
  const named = SCHEMES[webhook.scheme].eventIn?.(body.value);
  if (named !== undefined) return keyed("event", named);
  const ofEvent = event === undefined ? undefined : JSON.stringify([event.source, event.id]);
  if (ofEvent !== undefined && eventInBody === true) return keyed("cloudevent", ofEvent);
  if (signed !== undefined) return signedKey(signed);
  return ofEvent === undefined ? undefined : keyed("cloudevent", ofEvent);
}

async function keyed(sort: string, text: string): Promise<string> {
  const key = `${sort}:${text}`;
  return key.length <= LIMITS.idempotencyKeyChars ? key : `${sort}:${await sha256(text)}`;
}

async function signedKey(signed: Bytes): Promise<string> {
  return `signed:${await sha256(signed)}`;
}

/**
 * The door for every JSON text that comes from outside. What passes has one meaning for every reader: valid UTF-8, no
 * key twice, no `__proto__`, bounded in size, depth and number of values. One byte order mark at the start is dropped.
 *
 * It is on the hottest path: one loop over the text counts, then `JSON.parse` builds the value. Nothing recurses over
 * text of unchecked depth, so 200,000 levels are refused, not a stack overflow.
 */
import { SwitchyardError } from "./errors.ts";
import { findJsonError } from "./json-error.ts";
import { LIMITS } from "./limits.ts";

export type JsonLimits = { bytes?: number; depth?: number; nodes?: number };

/** `text` says the same as the bytes, so it can be passed on where `value` was not changed. */
export type ParsedJson = { value: unknown; text: string };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Throws payload_too_large, invalid_utf8, malformed_json, input_too_deep, input_too_complex, duplicate_key, forbidden_key. */
export function parseJson(bytes: Uint8Array | ArrayBuffer, limits: JsonLimits = {}): ParsedJson {
  const maxBytes = limits.bytes ?? LIMITS.jsonBytes;
  if (bytes.byteLength > maxBytes) {
    throw new SwitchyardError(
      "payload_too_large",
      `Cannot read the JSON: at most ${maxBytes} bytes are taken; it is ${bytes.byteLength} bytes`,
    );
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new SwitchyardError("invalid_utf8", "Cannot read the JSON: it must be UTF-8; it has a malformed sequence", {
      cause,
    });
  }
  return { value: parseJsonText(text, limits), text };
}

/** The same for text that is decoded already; `limits.bytes` is not looked at. */
export function parseJsonText(text: string, limits: JsonLimits = {}): unknown {
  const members = countMembers(text, limits.depth ?? LIMITS.jsonDepth, limits.nodes ?? LIMITS.jsonNodes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const { line, column, expected, found } = findJsonError(text);
    throw new SwitchyardError(
      "malformed_json",
      `Cannot parse the JSON: line ${line}, column ${column} must have ${expected}; it is ${found}`,
      { cause },
    );
  }
  // JSON.parse keeps the last of two equal keys, so the value then has fewer members than the text.
  if (countKeys(value) !== members) refuseDuplicate(text);
  // Any letter of the key may be written as an escape, and all of them are below U+0080.
  if (members > 0 && (text.includes("__proto__") || text.includes("\\u00"))) refuseProto(value, "");
  return value;
}

/** Counts members, refusing too great depth and too many values on the way. Malformed text is left to JSON.parse. */
function countMembers(text: string, maxDepth: number, maxNodes: number): number {
  let depth = 0;
  let members = 0;
  // One value, one more for each comma, one more for each container that is not empty.
  let nodes = 1;
  let justOpened = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    switch (char) {
      case 0x20:
      case 0x0a:
      case 0x0d:
      case 0x09:
        break;
      case 0x22:
        at = endOfString(text, at);
        justOpened = false;
        break;
      case 0x3a:
        members++;
        break;
      case 0x2c:
        nodes++;
        break;
      case 0x5b:
      case 0x7b:
        nodes++;
        justOpened = true;
        if (++depth > maxDepth) refuseDepth(maxDepth);
        break;
      case 0x5d:
      case 0x7d:
        if (justOpened) nodes--;
        justOpened = false;
        depth--;
        break;
      default:
        justOpened = false;
    }
    if (nodes > maxNodes) refuseNodes(maxNodes);
  }
  return members;
}

/** The index of the closing quote, or the text's length where there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) return at;
    if (char === 0x5c) at++;
  }
  return text.length;
}

function refuseDepth(limit: number): never {
  throw new SwitchyardError(
    "input_too_deep",
    `Cannot take the JSON: it may nest at most ${limit} levels; it is nested deeper`,
  );
}

function refuseNodes(limit: number): never {
  throw new SwitchyardError(
    "input_too_complex",
    `Cannot take the JSON: it may have at most ${limit} values; it has more`,
  );
}

/** Counts keys, refusing numbers that have become Infinity on the way. */
function countKeys(value: unknown): number {
  if (typeof value !== "object") {
    if (value === Infinity || value === -Infinity) refuseNumber(value);
    return 0;
  }
  if (value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item !== "string") count += countKeys(item);
    return count;
  }
  const keys = Object.keys(value);
  count = keys.length;
  for (const key of keys) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member !== "string") count += countKeys(member);
  }
  return count;
}

function refuseNumber(value: number): never {
  throw new SwitchyardError(
    "malformed_json",
    `Cannot take the JSON: a number must be within ±${Number.MAX_VALUE}; one is too large: ${value}`,
  );
}

/** Only for text known to have a key twice: finds it, with the pointer of its object. */
function refuseDuplicate(text: string): never {
  const stack: { keys: Set<string> | undefined; token: string; index: number }[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    const top = stack.at(-1);
    if (char === "{" || char === "[") {
      stack.push({ keys: char === "{" ? new Set() : undefined, token: "", index: 0 });
    } else if (char === "}" || char === "]") {
      stack.pop();
    } else if (char === "," && top?.keys === undefined && top !== undefined) {
      top.index++;
    } else if (char === '"') {
      const end = endOfString(text, at);
      if (top?.keys !== undefined && isKey(text, end)) {
        const key = JSON.parse(text.slice(at, end + 1)) as string;
        if (top.keys.has(key)) {
          const parents = stack.slice(0, -1);
          const pointer = toPointer(parents.map((open) => (open.keys === undefined ? String(open.index) : open.token)));
          throw new SwitchyardError(
            "duplicate_key",
            `Cannot take the JSON: an object's keys must differ; ${JSON.stringify(key)} is there twice in the object at "${pointer}"`,
          );
        }
        top.keys.add(key);
        top.token = key;
      }
      at = end;
    }
  }
  throw new SwitchyardError("duplicate_key", "Cannot take the JSON: an object's keys must differ; one is there twice");
}

function isKey(text: string, endOfString: number): boolean {
  let at = endOfString + 1;
  while (at < text.length && " \n\r\t".includes(text[at] as string)) at++;
  return text[at] === ":";
}

function refuseProto(value: unknown, pointer: string): void {
  if (value === null || typeof value !== "object") return;
  for (const [key, member] of Object.entries(value)) {
    if (key === "__proto__") {
      throw new SwitchyardError(
        "forbidden_key",
        `Cannot take the JSON: no key may be "__proto__"; the object at "${pointer}" has one`,
      );
    }
    if (member !== null && typeof member === "object") refuseProto(member, pointer + toPointer([key]));
  }
}

/** A JSON Pointer (RFC 6901) from its unescaped tokens. */
export function toPointer(tokens: readonly string[]): string {
  let pointer = "";
  for (const token of tokens) pointer += `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return pointer;
}

/**
 * The JavaScript child of a host, for Deno and Node: modules of data: URLs, so that no file need be readable. It loads
 * one module, then runs one call at a time. Frames both ways: two 32-bit lengths, a JSON head, a raw body.
 */
import { CONTEXT_MODULE } from "../../executor/isolate/context.ts";
import { JSON_MODULE } from "../../executor/isolate/json.ts";
import { LOG_MODULE } from "../../executor/isolate/log.ts";
import { PLATFORM_MODULE } from "../../executor/isolate/platform.ts";
import { RUN_MODULE } from "../../executor/isolate/run.ts";

const PROCESS_MODULE = String.raw`
import { prepare, runCall } from "./switchyard-run.js";

const { Deno, process, Uint8Array, DataView, Promise, Error, ReadableStream, btoa, atob } = globalThis;
const { fromCharCode } = String;
const { parse, stringify } = JSON;
const utf8 = new TextEncoder();
const plain = new TextDecoder();
const encode = utf8.encode.bind(utf8);
const decode = plain.decode.bind(plain);
const { readSync, writeSync } = Deno ? { writeSync: Deno.stdout.writeSync.bind(Deno.stdout) } : await import("node:fs");
const write = Deno ? writeSync : (bytes) => writeSync(1, bytes);
const pieces = Deno ? Deno.stdin.readable[Symbol.asyncIterator]() : process.stdin[Symbol.asyncIterator]();
const nextPiece = pieces.next.bind(pieces);
const exit = Deno ? Deno.exit.bind(Deno) : process.exit.bind(process);
delete globalThis.Deno;
delete globalThis.process;
delete globalThis.Worker;

function send(head, body) {
  const a = encode(stringify(head));
  const b = typeof body === "string" ? encode(body) : body ?? new Uint8Array(0);
  const all = new Uint8Array(8 + a.length + b.length);
  const view = new DataView(all.buffer);
  view.setUint32(0, a.length);
  view.setUint32(4, b.length);
  all.set(a, 8);
  all.set(b, 8 + a.length);
  for (let at = 0; at < all.length; ) at += write(all.subarray(at));
}

/** Artifacts cross in pieces of base64: a multiple of 3, so that they need no padding between. */
const PIECE = 768 * 1024;
function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8190) text += fromCharCode(...bytes.subarray(at, at + 8190));
  return btoa(text);
}
function fromBase64(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

let puts = 0;
async function put(ask, body, size, name, type) {
  const id = ++puts;
  const sendAll = async (bytes) => {
    for (let at = 0; at < bytes.length; at += PIECE) {
      const refused = await ask("put_piece", [id], toBase64(bytes.subarray(at, at + PIECE)));
      if (refused !== "") return refused;
    }
  };
  if (body instanceof Uint8Array) {
    const refused = await sendAll(body);
    if (refused) return refused;
  } else {
    const reader = body.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new Error("Cannot put an artifact: its stream must be of bytes; it is of something else");
      const refused = await sendAll(value);
      if (refused) {
        reader.cancel().catch(() => {});
        return refused;
      }
    }
  }
  return ask("put", [id, size, name, type]);
}

async function get(ask, id) {
  const answer = parse(await ask("get", [id]));
  if (!answer.ok) return answer;
  answer.body = new ReadableStream({
    async pull(controller) {
      const piece = await ask("get_piece", [answer.at]);
      if (piece === "") controller.close();
      else if (piece[0] === "{") controller.error(new Error(parse(piece).error.detail));
      else controller.enqueue(fromBase64(piece));
    },
    cancel: () => ask("get_end", [answer.at]),
  });
  return answer;
}

let asked = 0;
const waiting = new Map();
let cancel;
const platformOf = (call) => {
  const ask = (method, args, body) => new Promise((resolve) => {
    waiting.set(++asked, resolve);
    send({ t: "ask", id: asked, call, method, args }, body);
  });
  const cancelled = new Promise((resolve) => { cancel = resolve; });
  return {
    call: (...args) => ask("call", args),
    result: (id) => ask("result", [id]),
    cancel: (id) => ask("cancel", [id]),
    log: (first, lines) => ask("log", [first, lines]),
    put: (...args) => put(ask, ...args),
    get: (id) => get(ask, id),
    cancelled: () => cancelled,
  };
};

async function loaded(loading) {
  const handlers = await loading;
  send({ t: "loaded" });
  return handlers;
}

let settings;
async function take(head, body) {
  if (head.t === "load") settings = prepare(head.export, head.secrets, () => loaded(import("data:text/javascript;charset=utf-8," + encodeURIComponent(body))));
  else if (head.t === "cancel") cancel?.(true);
  else if (head.t === "answer") { waiting.get(head.id)?.(body); waiting.delete(head.id); }
  else if (head.t === "run") send({ t: "end", call: head.call }, await runCall(settings, head.timeout_ms, head.meta, body, platformOf(head.call)));
}

let rest = new Uint8Array(0);
send({ t: "ready" });
for (;;) {
  const { value, done } = await nextPiece();
  if (done) exit(0);
  const joined = new Uint8Array(rest.length + value.length);
  joined.set(rest);
  joined.set(value, rest.length);
  rest = joined;
  while (rest.length >= 8) {
    const view = new DataView(rest.buffer, rest.byteOffset);
    const [a, b] = [view.getUint32(0), view.getUint32(4)];
    if (rest.length < 8 + a + b) break;
    take(parse(decode(rest.subarray(8, 8 + a))), decode(rest.subarray(8 + a, 8 + a + b)));
    rest = rest.subarray(8 + a + b);
  }
}
`;

/** The child as one URL: each module with those that it imports inside. */
export function javascriptChild(): string {
  const urls: Record<string, string> = {};
  const add = (name: string, source: string) => {
    const linked = source.replace(/"\.\/(switchyard-[a-z]+)\.js"/g, (_, used: string) => JSON.stringify(urls[used]));
    urls[name] = `data:text/javascript;base64,${Buffer.from(linked).toString("base64")}`;
  };
  add("switchyard-json", JSON_MODULE);
  add("switchyard-log", LOG_MODULE);
  add("switchyard-platform", PLATFORM_MODULE);
  add("switchyard-context", CONTEXT_MODULE);
  add("switchyard-run", RUN_MODULE);
  add("switchyard-main", PROCESS_MODULE);
  return urls["switchyard-main"] ?? "";
}

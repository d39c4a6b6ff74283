/**
 * Source of the isolate's module `switchyard-platform.js`: ctx.call and ctx.artifacts, made from the way back to the
 * platform that one invocation has. Texts cross it where they can: nothing is left to the code's own idea of an object.
 */

/** Contents up to this cross in one piece, larger ones as a stream. Bytes. */
const ONE_PIECE_BYTES = 1024 * 1024;

export const PLATFORM_MODULE = String.raw`
const ONE_PIECE = ${ONE_PIECE_BYTES};
const { parse, stringify } = JSON;
const { freeze, assign, hasOwn } = Object;
const { Error, Uint8Array, ArrayBuffer, Blob, ReadableStream, Response } = globalThis;
// Only workerd has the one that takes bytes as they come.
const Pipe = globalThis.IdentityTransformStream ?? globalThis.TransformStream;
const { isView } = ArrayBuffer;
const apply = Reflect.apply;
const { dispose } = Symbol;
const { arrayBuffer, text } = Response.prototype;
const { stream: streamOf } = Blob.prototype;
const utf8 = new TextEncoder();
const encode = utf8.encode.bind(utf8);

const failureOf = (error) => assign(new Error(error.detail), error);
const optional = (value) => (value === null ? undefined : value);

function valueOf(answerText) {
  const answer = parse(answerText);
  if (answer.ok) return answer;
  throw failureOf(answer.error);
}

export function callOf(platform) {
  return async (name, input, options) => {
    const answer = valueOf(await platform.call(name, stringify(input === undefined ? {} : input), stringify(options)));
    return hasOwn(answer, "accepted") ? handleOf(platform, answer.accepted) : answer.value;
  };
}

function handleOf(platform, id) {
  return freeze({
    execution_id: id,
    result: async () => valueOf(await platform.result(id)).value,
    cancel: async () => {
      valueOf(await platform.cancel(id));
    },
  });
}

/** [body, size, content type] of what the code wants kept. */
function contentOf(content) {
  if (typeof content === "string") return ofBytes(encode(content), "text/plain; charset=utf-8");
  if (content instanceof ArrayBuffer) return ofBytes(new Uint8Array(content));
  if (isView(content)) return ofBytes(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
  if (content instanceof Blob) return [apply(streamOf, content, []), content.size, content.type === "" ? undefined : content.type];
  if (content instanceof ReadableStream) return [content, undefined, undefined];
  throw assign(new Error("Cannot put an artifact: its content must be a string, bytes, a Blob or a ReadableStream of bytes; it is " + (content === null ? "null" : typeof content)), { code: "bad_request" });
}

function ofBytes(bytes, type) {
  const { byteLength } = bytes;
  // Only what the view shows may cross, not the memory behind it.
  if (byteLength <= ONE_PIECE) return [bytes.slice(), byteLength, type];
  return [apply(streamOf, new Blob([bytes]), []), byteLength, type];
}

export function artifactsOf(platform) {
  return freeze({
    put: async (content, options) => {
      const { name, content_type: given } = options ?? {};
      const [body, size, type] = contentOf(content);
      const put = (sent) => platform.put(sent, size, optional(name), optional(given ?? type));
      if (size !== undefined) return valueOf(await put(body)).value;
      // The platform takes a stream that breaks for one that ends, so it is watched on this side.
      const { readable, writable } = new Pipe();
      let broken;
      const pump = async () => {
        try {
          await body.pipeTo(writable);
        } catch (thrown) {
          broken = { thrown };
        }
      };
      pump();
      const answer = parse(await put(readable));
      // Where the platform refused, its own word says more than that the rest could not be sent.
      if (!answer.ok) throw failureOf(answer.error);
      if (broken !== undefined) throw broken.thrown;
      return answer.value;
    },
    get: async (id) => {
      const answer = await platform.get(id);
      const { ok, error, content_type, size_bytes, body } = answer;
      // Of the answer as the runtime keeps it; the stream lives on.
      answer[dispose]?.();
      if (!ok) throw failureOf(error);
      const response = new Response(body);
      return freeze({
        content_type,
        size_bytes,
        bytes: async () => new Uint8Array(await apply(arrayBuffer, response, [])),
        text: () => apply(text, response, []),
        json: async () => parse(await apply(text, response, [])),
        stream: () => body,
      });
    },
  });
}
`;

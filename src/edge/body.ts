/** Reading a request's body: its kind and its size are checked before its content. */
import { SwitchyardError } from "../core/errors.ts";
import { parseJson, type ParsedJson } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";

const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json(?:\s*;.*)?$/i;

/** The body as JSON with its text. Throws 400, 413, 415 or 422 errors. */
export async function readJson(request: Request): Promise<ParsedJson> {
  const contentType = request.headers.get("content-type");
  if (contentType !== "application/json" && !JSON_TYPE.test(contentType ?? "")) {
    throw new SwitchyardError(
      "unsupported_media_type",
      `Cannot read the body: its content-type must be application/json; it is ${contentType ?? "missing"}`,
      { hint: "curl sends JSON with -H 'content-type: application/json'" },
    );
  }
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new SwitchyardError(
      "unsupported_media_type",
      `Cannot read the body: it must be sent as it is, without a content-encoding; it is ${encoding.slice(0, 100)}`,
    );
  }
  return parseJson(await readBytes(request, LIMITS.jsonBytes));
}

/** The body's bytes. A length that is declared is believed only to refuse; one that is not is counted as it comes. */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = request.headers.get("content-length");
  try {
    // Where both are given the chunks count, and a length beside them says nothing of what will come.
    if (declared === null || request.headers.has("transfer-encoding")) return await countBytes(request, limit);
    if (Number(declared) > limit) throw tooLarge(limit, `${declared} bytes`);
    return new Uint8Array(await request.arrayBuffer());
  } catch (thrown) {
    if (thrown instanceof SwitchyardError) throw thrown;
    // The runtime says no more than "internal error": a chunk that is none, or a connection that ended in the middle.
    throw new SwitchyardError("bad_request", "Cannot read the body: it must arrive whole and well-formed; it did not", {
      cause: thrown,
    });
  }
}

async function countBytes(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit, "more than that");
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

function tooLarge(limit: number, actual: string): SwitchyardError {
  return new SwitchyardError(
    "payload_too_large",
    `Cannot read the body: at most ${limit} bytes are taken; it has ${actual}`,
  );
}

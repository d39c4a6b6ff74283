/**
 * A stream of unknown length → one object of the store, with the SHA-256 of what passed. The store takes no streams of
 * unknown length, so it goes in parts; while one is sent the next is filled, and never more than two are in memory.
 * What fits one part goes in one call.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { toHex } from "../../core/hash.ts";
import type { Content } from "./artifact-rpc.ts";
import { askStore } from "./_store-error.ts";

/** R2 wants all parts but the last of one size, at least 5 MiB, at most 10,000 of them. */
export const PART_BYTES = 8 * 1024 * 1024;
const FIRST_BYTES = 64 * 1024;
/** The store may have to put hundreds of parts together. */
const COMPLETE_MS = 10 * 60_000;

export type UploadOptions = {
  key: string;
  contentType: string;
  limitBytes: number;
  /** When it gives up: what is abandoned is swept, and an upload must not outlive that. Milliseconds since the epoch. */
  until: number;
  now: () => number;
  /** Called before the first part is sent, and only if there are several. Throws when there is no need to go on. */
  began: (uploadId: string) => Promise<void>;
};

/** Throws payload_too_large, bad_request when the body breaks off, artifact_store_unavailable. Leaves no open upload. */
export async function uploadContent(
  bucket: R2Bucket,
  body: ReadableStream<Uint8Array>,
  options: UploadOptions,
): Promise<Content> {
  const reader = body.getReader();
  const parts = new Parts(bucket, options);
  const hash = new crypto.DigestStream("SHA-256");
  const hasher = hash.getWriter();
  // It fails with the writer, and then nobody waits for it.
  hash.digest.catch(() => undefined);
  try {
    let sizeBytes = 0;
    for (;;) {
      const { done, value } = await readNext(reader, options.key);
      if (done) break;
      sizeBytes += value.byteLength;
      if (sizeBytes > options.limitBytes) throw tooLarge(options.limitBytes);
      if (options.now() > options.until) throw tooSlow(options.key);
      await hasher.write(value);
      await parts.add(value);
    }
    await hasher.close();
    const sha256 = toHex(new Uint8Array(await hash.digest));
    await parts.end();
    return { sha256, size_bytes: sizeBytes };
  } catch (error) {
    await Promise.allSettled([reader.cancel(error), hasher.abort(error), parts.abort()]);
    throw error;
  }
}

class Parts {
  readonly #bucket: R2Bucket;
  readonly #options: UploadOptions;
  #buffer = new Uint8Array(FIRST_BYTES);
  #used = 0;
  #upload: R2MultipartUpload | undefined;
  #sent: R2UploadedPart[] = [];
  #sending: Promise<Uint8Array<ArrayBuffer>> | undefined;

  constructor(bucket: R2Bucket, options: UploadOptions) {
    this.#bucket = bucket;
    this.#options = options;
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0;) {
      if (this.#used === PART_BYTES) await this.#send();
      const taken = rest.subarray(0, PART_BYTES - this.#used);
      this.#grow(this.#used + taken.byteLength);
      this.#buffer.set(taken, this.#used);
      this.#used += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
    }
  }

  async end(): Promise<void> {
    const { key, contentType } = this.#options;
    if (this.#upload === undefined) {
      const bytes = this.#buffer.subarray(0, this.#used);
      await askStore(`store "${key}"`, () => this.#bucket.put(key, bytes, { httpMetadata: { contentType } }));
      return;
    }
    await this.#send();
    await this.#sending;
    const upload = this.#upload;
    await askStore(`store "${key}"`, () => upload.complete(this.#sent), COMPLETE_MS);
  }

  async abort(): Promise<void> {
    await this.#sending?.catch(() => undefined);
    await this.#upload?.abort();
  }

  /** Begins to send what is filled, once the part before has arrived; its memory takes the next. */
  async #send(): Promise<void> {
    const { key, contentType, began } = this.#options;
    if (this.#upload === undefined) {
      this.#upload = await askStore(`store "${key}"`, () =>
        this.#bucket.createMultipartUpload(key, { httpMetadata: { contentType } }),
      );
      await began(this.#upload.uploadId);
    }
    const upload = this.#upload;
    const free = (await this.#sending) ?? new Uint8Array(PART_BYTES);
    const part = this.#buffer;
    const bytes = part.subarray(0, this.#used);
    const sending = askStore(`store "${key}"`, () => upload.uploadPart(this.#sent.length + 1, bytes)).then((sent) => {
      this.#sent.push(sent);
      return part;
    });
    // Whoever waits next gets the error; without this it would count as unhandled until then.
    sending.catch(() => undefined);
    this.#sending = sending;
    this.#buffer = free;
    this.#used = 0;
  }

  #grow(needed: number): void {
    if (needed <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.min(PART_BYTES, Math.max(needed, this.#buffer.byteLength * 2)));
    larger.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = larger;
  }
}

async function readNext(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  key: string,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (cause) {
    throw new SwitchyardError("bad_request", `Cannot store "${key}": the body must arrive whole; it broke off`, {
      cause,
    });
  }
}

function tooLarge(limit: number): SwitchyardError {
  return new SwitchyardError(
    "payload_too_large",
    `Cannot store the artifact: it may have ${limit} bytes at most; it has more`,
  );
}

function tooSlow(key: string): SwitchyardError {
  return new SwitchyardError(
    "timeout",
    `Cannot store "${key}": an upload must end within its time; it is still going on`,
  );
}

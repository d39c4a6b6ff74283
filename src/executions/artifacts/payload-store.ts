/**
 * Inputs and outputs that are too large for a row, as objects of the artifact store. Each key is written once: an output's
 * holds its attempt's number, so a late attempt never overwrites what another has settled with.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { askStore } from "./_store-error.ts";

/** The most keys that R2 deletes in one call. */
const DELETED_AT_ONCE = 1_000;

const encoder = new TextEncoder();

/** Whether the JSON text belongs here and not into the row. Counted in UTF-8 bytes. */
export function isLargePayload(text: string): boolean {
  // A UTF-16 unit is one to three bytes of UTF-8, so most texts need no look at each of them.
  if (text.length > LIMITS.payloadInRowBytes) return true;
  if (text.length * 3 <= LIMITS.payloadInRowBytes) return false;
  return encoder.encode(text).length > LIMITS.payloadInRowBytes;
}

export function inputKey(executionId: string): string {
  return `payloads/${executionId}/input`;
}

export function outputKey(executionId: string, attempt: number): string {
  return `payloads/${executionId}/output.${attempt}`;
}

/** Each method throws artifact_store_unavailable when the store fails. */
export class PayloadStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  async put(key: string, text: string): Promise<void> {
    await askStore(`store "${key}"`, () =>
      this.#bucket.put(key, text, { httpMetadata: { contentType: "application/json" } }),
    );
  }

  /** Throws payload_lost when there is no such object. */
  async get(key: string): Promise<string> {
    const text = await askStore(`read "${key}"`, async () => (await this.#bucket.get(key))?.text());
    if (text === undefined) {
      throw new SwitchyardError("payload_lost", `Cannot read "${key}": what was stored must be there; it is not`);
    }
    return text;
  }

  /** Keys that are not there count as deleted. */
  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETED_AT_ONCE) {
      const some = keys.slice(from, from + DELETED_AT_ONCE);
      await askStore(`delete ${some.length} payloads`, () => this.#bucket.delete(some));
    }
  }
}

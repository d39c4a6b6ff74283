/** Inputs and outputs: in the row while they are small, in the artifact store beyond that. */
import { isLargePayload } from "./artifacts/payload-store.ts";
import type { Payload } from "./messages.ts";

/** Where large ones go: see artifacts/payload-store.ts. */
export type LargePayloads = { put(key: string, text: string): Promise<void>; get(key: string): Promise<string> };

export class Payloads {
  readonly #large: LargePayloads;

  constructor(large: LargePayloads) {
    this.#large = large;
  }

  /** Throws artifact_store_unavailable. */
  async write(key: string, text: string): Promise<Payload> {
    if (!isLargePayload(text)) return { text };
    await this.#large.put(key, text);
    return { key };
  }

  /** Throws payload_lost, artifact_store_unavailable. */
  async read(payload: Payload): Promise<string> {
    return "text" in payload ? payload.text : this.#large.get(payload.key);
  }
}

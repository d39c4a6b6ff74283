/**
 * The open streams of a server, and the pipelines that run on them. A baton is good for one request: it is random,
 * and taken out of the table while its stream works. A stream left idle is closed, its transaction rolled back.
 */
import type { Client } from "@libsql/client/web";
import { randomId } from "../../core/ids.ts";
import {
  HranaError,
  type PipelineRequest,
  type PipelineResponse,
  type StreamRequest,
  type StreamResult,
  toWireError,
} from "./protocol.ts";
import { Stream } from "./stream.ts";
import { Turnstile } from "./turnstile.ts";

export class Streams {
  readonly #client: Client;
  readonly #idleMs: number;
  readonly #turnstile = new Turnstile();
  readonly #idle = new Map<string, { stream: Stream; timer: ReturnType<typeof setTimeout> }>();

  constructor(client: Client, idleMs: number) {
    this.#client = client;
    this.#idleMs = idleMs;
  }

  async pipeline(request: PipelineRequest): Promise<PipelineResponse> {
    const stream = this.#take(request.baton ?? undefined);
    const results: StreamResult[] = [];
    let closed = false;
    try {
      for (const each of request.requests) {
        if (closed) results.push({ type: "error", error: { message: "The stream is closed", code: "STREAM_CLOSED" } });
        else {
          results.push(await answer(stream, each));
          closed = each.type === "close";
        }
      }
    } catch (error) {
      // Only a malformed request gets here. Nobody would know the new baton.
      stream.close();
      throw error;
    }
    if (closed) stream.close();
    return { baton: closed ? null : this.#park(stream), base_url: null, results };
  }

  /** Closes every stream that waits for its client. */
  close(): void {
    for (const { stream, timer } of this.#idle.values()) {
      clearTimeout(timer);
      stream.close();
    }
    this.#idle.clear();
  }

  #take(baton: string | undefined): Stream {
    if (baton === undefined) return new Stream(this.#client, this.#turnstile);
    const parked = this.#idle.get(baton);
    if (parked === undefined) {
      throw new HranaError(
        "STREAM_EXPIRED",
        "Cannot go on with the stream: its baton must be the newest one and in time; it is not known",
      );
    }
    this.#idle.delete(baton);
    clearTimeout(parked.timer);
    return parked.stream;
  }

  #park(stream: Stream): string {
    const baton = randomId(32);
    const timer = setTimeout(() => {
      this.#idle.delete(baton);
      stream.close();
    }, this.#idleMs);
    this.#idle.set(baton, { stream, timer });
    return baton;
  }
}

async function answer(stream: Stream, request: StreamRequest): Promise<StreamResult> {
  try {
    return { type: "ok", response: { type: request.type, ...(await perform(stream, request)) } };
  } catch (error) {
    return { type: "error", error: toWireError(error) };
  }
}

async function perform(stream: Stream, request: StreamRequest): Promise<Record<string, unknown>> {
  switch (request.type) {
    case "close":
      return {};
    case "execute":
      return { result: await stream.execute(request.stmt) };
    case "batch":
      return { result: await stream.batch(request.batch) };
    case "sequence":
      await stream.sequence(request);
      return {};
    case "describe":
      return { result: await stream.describe(request) };
    case "store_sql":
      stream.store(request.sql_id, request.sql);
      return {};
    case "close_sql":
      stream.forget(request.sql_id);
      return {};
    case "get_autocommit":
      return { is_autocommit: stream.autocommit };
  }
  throw new HranaError("HRANA_PROTO_ERROR", "Cannot answer the request: its type is not one of Hrana's");
}

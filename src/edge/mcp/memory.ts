/**
 * What an isolate remembers of clients that say something in two requests. Nothing depends on it: another isolate, or this
 * one after a restart, has forgotten, and then a cancellation is not heard and log lines are not sent.
 *
 * A session here is a number that the client shows with each request, so that its ids are not taken for another client's.
 */
import type { LoggingLevel } from "@modelcontextprotocol/server";
import { Lru } from "../../registry/lru.ts";

const BOUNDS = { maxEntries: 10_000, maxBytes: Number.POSITIVE_INFINITY };

/** Ids are the client's own; most are small numbers. */
const ID_CHARS = 256;

export type Client = { principal: string; session: string | undefined };

export class Memory {
  /** The execution behind a request that has not been answered. */
  readonly #running = new Lru<string>(BOUNDS);
  readonly #levels = new Lru<LoggingLevel>(BOUNDS);

  /** Answers what forgets it again. */
  remember(client: Client, request: string | number, executionId: string): () => void {
    const key = requestKey(client, request);
    if (key === undefined) return () => undefined;
    this.#running.set(key, executionId, 0);
    return () => {
      if (this.#running.get(key) === executionId) this.#running.delete(key);
    };
  }

  running(client: Client, request: string | number): string | undefined {
    const key = requestKey(client, request);
    return key === undefined ? undefined : this.#running.get(key);
  }

  setLevel(client: Client, level: LoggingLevel): void {
    const key = clientKey(client);
    if (key !== undefined) this.#levels.set(key, level, 0);
  }

  /** undefined: the client never asked for log lines, as far as is known here. */
  level(client: Client): LoggingLevel | undefined {
    const key = clientKey(client);
    return key === undefined ? undefined : this.#levels.get(key);
  }
}

/** Without a session two clients of one token cannot be told apart. */
function clientKey({ principal, session }: Client): string | undefined {
  return session === undefined ? undefined : `${principal} ${session}`;
}

function requestKey(client: Client, request: string | number): string | undefined {
  const key = clientKey(client);
  return key === undefined || String(request).length > ID_CHARS ? undefined : `${key} ${JSON.stringify(request)}`;
}

/**
 * Sends spans to a collector over OTLP/HTTP, off the way of calls: what has ended waits in a bounded buffer for a moment or
 * for company. What does not fit is dropped and counted, never waited for; a collector that is gone costs a call nothing.
 */
import { log } from "../core/log.ts";
import { encodeSpans, type Resource } from "./otlp.ts";
import type { Span } from "./tracer.ts";

/** As OpenTelemetry's own batch processors: spans that wait, spans of one request. */
const MAX_WAITING = 2_048;
const BATCH = 512;
const GATHER_MS = 1_000;
const ANSWER_MS = 5_000;
const MAX_TRIES = 3;
const FIRST_WAIT_MS = 500;
/** The runtime lets work go on for half a minute after the answer. */
const MAX_WAIT_MS = 5_000;
/** A flush that belonged to a request that is gone is not waited for longer. */
const LOST_AFTER_MS = 45_000;
const LOG_EVERY_MS = 60_000;

/** Answers after which the same request may be taken: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export type DropReason = "buffer_full" | "refused" | "unanswered";

export type ExporterPorts = {
  url: string;
  /** With the secrets of the collector. */
  headers: Readonly<Record<string, string>>;
  resource: Resource;
  version: string;
  send: (request: Request) => Promise<Response>;
  /** Keeps work alive that nobody waits for (waitUntil). */
  background: (work: Promise<void>) => void;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  random: () => number;
  exported: (count: number) => void;
  dropped: (count: number, reason: DropReason) => void;
};

export class Exporter {
  readonly #ports: ExporterPorts;
  #waiting: Span[] = [];
  #flushingSince = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | undefined;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(ports: ExporterPorts) {
    this.#ports = ports;
  }

  take(span: Span): void {
    if (this.#waiting.length >= MAX_WAITING) return this.#ports.dropped(1, "buffer_full");
    this.#waiting.push(span);
    if (this.#waiting.length === BATCH) this.#wake?.();
    this.#begin();
  }

  #begin(): void {
    const now = this.#ports.now();
    if (now - this.#flushingSince < LOST_AFTER_MS) return;
    this.#flushingSince = now;
    this.#ports.background(this.#flush());
  }

  async #flush(): Promise<void> {
    const full = new Promise<void>((resolve) => (this.#wake = resolve));
    await Promise.race([this.#ports.sleep(GATHER_MS), full]);
    this.#wake = undefined;
    const batch = this.#waiting.splice(0, BATCH);
    if (batch.length > 0) await this.#export(batch);
    this.#flushingSince = Number.NEGATIVE_INFINITY;
    if (this.#waiting.length > 0) this.#begin();
  }

  async #export(batch: readonly Span[]): Promise<void> {
    const { resource, version, exported, dropped, sleep, random } = this.#ports;
    const body = encodeSpans(batch, resource, { name: "switchyard", version });
    for (let tries = 1; ; tries++) {
      const answer = await this.#send(body);
      if (answer.kind === "taken") {
        exported(batch.length - answer.rejected);
        if (answer.rejected > 0) dropped(answer.rejected, "refused");
        return;
      }
      if (answer.kind === "refused" || tries >= MAX_TRIES) {
        dropped(batch.length, answer.kind === "refused" ? "refused" : "unanswered");
        return this.#complain(answer.why);
      }
      const backoffMs = FIRST_WAIT_MS * 2 ** (tries - 1) * (0.5 + random() / 2);
      await sleep(Math.min(MAX_WAIT_MS, answer.afterMs ?? backoffMs));
    }
  }

  async #send(body: string): Promise<Sent> {
    const { url, headers, send } = this.#ports;
    try {
      const response = await send(
        new Request(url, {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body,
          redirect: "manual",
          signal: AbortSignal.timeout(ANSWER_MS),
        }),
      );
      const text = await response.text();
      const { status } = response;
      if (response.ok) return { kind: "taken", rejected: rejectedIn(text) };
      const why = `it answers ${status}`;
      if (!RETRYABLE.has(status)) return { kind: "refused", why };
      const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
      return { kind: "later", why, afterMs: Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : undefined };
    } catch (error) {
      return { kind: "later", why: String(error), afterMs: undefined };
    }
  }

  /** A collector that is gone is one line a minute. */
  #complain(why: string): void {
    const now = this.#ports.now();
    if (now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = now;
    log("warn", `spans were dropped: the collector must take them; ${why}`);
  }
}

type Sent =
  | { kind: "taken"; rejected: number }
  | { kind: "later"; why: string; afterMs: number | undefined }
  | { kind: "refused"; why: string };

/** ExportTracePartialSuccess: some were taken, the rest is not to be sent again. */
function rejectedIn(text: string): number {
  try {
    const { partialSuccess } = JSON.parse(text || "{}") as { partialSuccess?: { rejectedSpans?: string | number } };
    return Math.max(0, Number(partialSuccess?.rejectedSpans ?? 0) || 0);
  } catch {
    return 0;
  }
}

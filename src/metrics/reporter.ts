/**
 * Carries what this isolate has counted to the board, off the way of the call: one message a second while anything is
 * counted. A message that failed is sent again as it was, with its number, so that it counts once. Up to a second of
 * counting is lost with the machine.
 */
import { logError } from "../core/log.ts";
import { randomId } from "../core/ids.ts";
import type { Delta } from "../telemetry/instruments.ts";
import { Meter } from "../telemetry/meter.ts";
import type { MetricsBoard, Report } from "./metrics-board.ts";

const GATHER_MS = 1_000;
/** A flush that belonged to a request that is gone is not waited for longer. */
const LOST_AFTER_MS = 15_000;
/** Messages of a board that does not answer; then what they held is lost. */
const MAX_UNSENT = 30;

export type BoardNamespace = { getByName(name: string): Pick<MetricsBoard, "add" | "read"> | BoardStub };
type BoardStub = { add(text: string): Promise<void>; read(): Promise<string> };

export type ReporterPorts = {
  namespace: BoardNamespace;
  /** Keeps work alive that nobody waits for (waitUntil). */
  background: (work: Promise<void>) => void;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
};

export class Reporter {
  readonly meter = new Meter(() => this.#begin());
  readonly #ports: ReporterPorts;
  #source: string | undefined;
  #seq = 0;
  #unsent: Report[] = [];
  #flushingSince = Number.NEGATIVE_INFINITY;

  constructor(ports: ReporterPorts) {
    this.#ports = ports;
  }

  /** All that was counted, this isolate's last second included. */
  async read(): Promise<Delta[]> {
    await this.flush();
    return JSON.parse(await this.#board().read()) as Delta[];
  }

  async flush(): Promise<void> {
    const deltas = this.meter.take();
    // Not where it is made: at load time there is no randomness.
    this.#source ??= randomId(16);
    if (deltas.length > 0) this.#unsent.push({ source: this.#source, seq: ++this.#seq, deltas });
    if (this.#unsent.length > MAX_UNSENT) this.#unsent.splice(0, this.#unsent.length - MAX_UNSENT);
    // In their order: the board takes no number below the last.
    for (;;) {
      const [report] = this.#unsent;
      if (report === undefined) return;
      await this.#board().add(JSON.stringify(report));
      this.#unsent = this.#unsent.filter((each) => each !== report);
    }
  }

  #board() {
    return this.#ports.namespace.getByName("metrics");
  }

  #begin(): void {
    const now = this.#ports.now();
    if (now - this.#flushingSince < LOST_AFTER_MS) return;
    this.#flushingSince = now;
    this.#ports.background(this.#flushLater());
  }

  async #flushLater(): Promise<void> {
    await this.#ports.sleep(GATHER_MS);
    try {
      await this.flush();
    } catch (error) {
      logError("cannot write metrics", error);
    }
    this.#flushingSince = Number.NEGATIVE_INFINITY;
    // Counted while the message was on its way.
    if (!this.meter.isEmpty) this.#begin();
  }
}

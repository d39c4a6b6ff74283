/** The edge's side of the supervisor's little HTTP interface (supervisor-server.node.ts). */
import type { LossAnswer, LossQuestion, PoolState, StallReport } from "./pool-state.ts";
import { SECRET_HEADER } from "./protocol.ts";

export class SupervisorClient {
  readonly #fetcher: Fetcher;
  readonly #secret: string;

  constructor(fetcher: Fetcher, secret: string) {
    this.#fetcher = fetcher;
    this.#secret = secret;
  }

  state(): Promise<PoolState> {
    return this.#post<PoolState>("/state", {});
  }

  /** Whether a call had started on a process that broke or does not answer. */
  lost(question: LossQuestion, withinMs: number): Promise<LossAnswer> {
    return this.#post<LossAnswer>("/lost", question, withinMs);
  }

  /** What was under way on a process that stalled, so that its operations are kept away from the spare. */
  stalled(report: StallReport): Promise<PoolState> {
    return this.#post<PoolState>("/stalled", report);
  }

  /** A call is past its time-out without an answer: if its process is stalled, it is killed. */
  late(slot: number): Promise<PoolState> {
    return this.#post<PoolState>("/late", { slot });
  }

  /** The operation has run well often enough to go back among the others. */
  behaved(operation: string): Promise<PoolState> {
    return this.#post<PoolState>("/behaved", { operation });
  }

  /** Starts the process of a sleeping slot. */
  wake(slot: number): Promise<PoolState> {
    return this.#post<PoolState>("/wake", { slot });
  }

  async #post<Answer>(path: string, body: unknown, withinMs = 600): Promise<Answer> {
    const response = await this.#fetcher.fetch(`http://supervisor${path}`, {
      method: "POST",
      headers: { [SECRET_HEADER]: this.#secret },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(withinMs),
    });
    if (!response.ok) throw new Error(`the supervisor answered ${response.status} to ${path}`);
    return await response.json<Answer>();
  }
}

/** A JobsPort in memory with a clock that the test holds: waiting is what moves it. For the tests of whoever starts jobs. */
import type { AdapterPorts, JobsPort, JobTicket } from "../../src/adapters/adapter.ts";

export type FakeJob = {
  ticket: JobTicket;
  order: string;
  handle?: string;
  report?: string;
  fetched: boolean;
  closed: boolean;
};

export class FakeJobs implements JobsPort {
  nowMs = 0;
  readonly jobs: FakeJob[] = [];
  /** What happens at a time, in milliseconds from the beginning, while somebody waits. */
  readonly events: { atMs: number; happen: () => void }[] = [];
  /** Makes the next waits fail. */
  failingWaits = 0;
  /** The lengths of all waits, in their order. */
  readonly waits: number[] = [];

  get last(): FakeJob {
    const job = this.jobs.at(-1);
    if (job === undefined) throw new TypeError("no job was opened");
    return job;
  }

  at(atMs: number, happen: () => void): void {
    this.events.push({ atMs, happen });
  }

  ports(): Pick<AdapterPorts, "jobs" | "now" | "sleep" | "platformUrl"> {
    return {
      jobs: this,
      now: () => this.nowMs,
      sleep: async (ms) => this.#pass(ms, () => false),
      platformUrl: "https://platform.test",
    };
  }

  async open({ order }: Parameters<JobsPort["open"]>[0]): ReturnType<JobsPort["open"]> {
    const left = this.jobs.find(({ closed }) => !closed);
    if (left !== undefined) return { ticket: left.ticket, handle: left.handle };
    const id = `sy-00-job-${this.jobs.length + 1}`;
    const ticket = { id, url: `https://platform.test/jobs/${id}`, token: `token-of-${id}` };
    this.jobs.push({ ticket, order, fetched: false, closed: false });
    return { ticket, handle: undefined };
  }

  async note(id: string, handle: string): Promise<void> {
    this.#job(id).handle = handle;
  }

  async wait(id: string, waitMs: number): Promise<string | undefined> {
    this.waits.push(waitMs);
    if (this.failingWaits-- > 0) throw new Error("the object starts again");
    await this.#pass(waitMs, () => this.#job(id).report !== undefined);
    return this.#job(id).report;
  }

  async close(id: string): Promise<{ fetched: boolean }> {
    const job = this.#job(id);
    job.closed = true;
    return { fetched: job.fetched };
  }

  #job(id: string): FakeJob {
    const job = this.jobs.find(({ ticket }) => ticket.id === id);
    if (job === undefined) throw new TypeError(`there is no job ${id}`);
    return job;
  }

  async #pass(ms: number, isOver: () => boolean): Promise<void> {
    const until = this.nowMs + ms;
    for (;;) {
      if (isOver()) return;
      const [next] = this.events.filter(({ atMs }) => atMs <= until).toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.events.splice(this.events.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.happen();
      // Whoever was told by it goes first.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.nowMs = until;
  }
}

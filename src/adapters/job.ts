/**
 * A call as a job: work that is started elsewhere, fetches its order and reports back by a signed callback. What it
 * keeps true:
 *
 * - One ticket is one job. An interrupted attempt leaves its ticket open, and the next one follows that job; every other
 *   end closes it, and what is reported later is refused.
 * - A report that was lost is found by looking at the place; a place that cannot be looked at does not end a job.
 * - Nothing is called unstarted unless the order of a module can no longer be fetched and never was.
 */
import { toSwitchyardError } from "../core/errors.ts";
import { joinFrame } from "../model/frame.ts";
import type { Outcome } from "../model/outcome.ts";
import { outcomeOfThrown, unstarted, type AdapterCall, type AdapterPorts, type JobTicket } from "./adapter.ts";
import { orderOf } from "./host-call.ts";
import { parseReport, REPORT_RULE } from "./job-report.ts";

export type JobState = { kind: "pending" | "running" } | { kind: "ended"; outcome: Outcome };

export type JobDriver = {
  /**
   * Starting the same ticket twice starts one job (name it by ticket.id, or use the place's idempotency token). Answers an
   * outcome where the place has refused; throws where it may have started: it is asked again for the same ticket.
   */
  start(ticket: JobTicket): Promise<{ handle: string } | Outcome>;
  /** How it is, by the place's own word. `ended`: it will not report any more; why, as an outcome. */
  look(handle: string): Promise<JobState>;
  /** Also for a job that has ended. */
  stop(handle: string): Promise<void>;
};

export type JobOptions = {
  /** How often the place is looked at, at first. Waiting for a running job grows to POLL_MOST_MS. */
  pollMs?: number;
  /** So long a job that has ended may still report. */
  reportGraceMs?: number;
  /** So long a job may wait for its place before it is given up. */
  queueLimitMs?: number;
};

const POLL_MS = 5_000;
const POLL_MOST_MS = 30_000;
const POLL_GROWTH = 1.5;
/** A look that takes longer counts as that long. */
const LOOK_MOST_MS = 5_000;
const REPORT_GRACE_MS = 5_000;
export const QUEUE_LIMIT_MS = 15 * 60_000;
/** Before the second and the third time that a start which broke off is asked for. */
const START_AGAIN_MS = [250, 1_000] as const;
/** Times in a row that the platform's own keeper of jobs may fail before the attempt is given up, its job left open. */
const LOST_WAITS = 5;

type Ports = Pick<AdapterPorts, "isolates" | "artifacts" | "platformUrl" | "jobs" | "now" | "sleep">;

/** Runs the call as one job. Never throws. */
export async function runJob(
  call: AdapterCall,
  driver: JobDriver,
  ports: Ports,
  options: JobOptions = {},
): Promise<Outcome> {
  try {
    if (ports.platformUrl === undefined) return withoutCallback(call);
    const order = joinFrame(await orderOf(call, ports), call.input);
    const { meta, environment } = call;
    const { ticket, handle } = await ports.jobs.open({ meta, environment: environment.name, order });
    return await new Job(call, driver, ports, { ...options, ticket }).run(handle);
  } catch (thrown) {
    return outcomeOfThrown(thrown);
  }
}

class Job {
  readonly #call: AdapterCall;
  readonly #driver: JobDriver;
  readonly #ports: Ports;
  readonly #ticket: JobTicket;
  readonly #pollMs: number;
  readonly #graceMs: number;
  readonly #queueLimitMs: number;

  constructor(call: AdapterCall, driver: JobDriver, ports: Ports, options: JobOptions & { ticket: JobTicket }) {
    this.#call = call;
    this.#driver = driver;
    this.#ports = ports;
    this.#ticket = options.ticket;
    this.#pollMs = options.pollMs ?? POLL_MS;
    this.#graceMs = options.reportGraceMs ?? REPORT_GRACE_MS;
    this.#queueLimitMs = options.queueLimitMs ?? QUEUE_LIMIT_MS;
  }

  async run(known: string | undefined): Promise<Outcome> {
    if (known === undefined && this.#isCancelled) return this.#close({ ...this.#cancelled(), unstarted: true });
    const started = known ?? (await this.#start());
    if (typeof started !== "string") return started;
    return this.#follow(started);
  }

  async #start(): Promise<string | Outcome> {
    const { jobs, sleep } = this.#ports;
    for (let tries = 0; ; tries++) {
      let started: { handle: string } | Outcome;
      try {
        started = await this.#driver.start(this.#ticket);
      } catch (thrown) {
        const wait = START_AGAIN_MS[tries];
        if (wait === undefined) return this.#unreached(thrown);
        await sleep(wait);
        continue;
      }
      if (!("handle" in started)) return this.#close(started);
      try {
        await jobs.note(this.#ticket.id, started.handle);
      } catch {
        // It is only found less easily after an interruption: it is then started again, which starts nothing.
      }
      return started.handle;
    }
  }

  async #follow(handle: string): Promise<Outcome> {
    const { now, sleep } = this.#ports;
    const { timeout_ms: timeoutMs } = this.#call.meta;
    // Since it began, as far as it was followed: a clock that jumps, or a platform that slept, is no time of the job's.
    let followedMs = 0;
    let endsAtMs = timeoutMs;
    let isRunning = false;
    let isPending = false;
    let pollMs = this.#pollMs;
    for (let lostWaits = 0; ;) {
      const turnAt = now();
      try {
        const report = await this.#orCancelled(Math.max(0, Math.min(pollMs, endsAtMs - followedMs)));
        if (report !== undefined) return await this.#reported(report);
        lostWaits = 0;
      } catch (thrown) {
        // The ticket stays open: whoever tries next finds the job, or its report.
        if (++lostWaits >= LOST_WAITS) return outcomeOfThrown(thrown);
        await sleep(Math.min(pollMs, 1_000));
      }
      if (this.#isCancelled) return this.#stop(handle, this.#cancelled());
      const state = await this.#look(handle);
      followedMs += Math.max(0, Math.min(now() - turnAt, pollMs + LOOK_MOST_MS));
      if (state?.kind === "ended") return await this.#ended(state.outcome);
      if (state?.kind === "running" && !isRunning) {
        isRunning = true;
        isPending = false;
        endsAtMs = followedMs + timeoutMs;
      } else if (state?.kind === "pending" && !isRunning) {
        isPending = true;
        endsAtMs = this.#queueLimitMs;
      }
      if (followedMs >= endsAtMs) return isPending ? this.#queuedTooLong(handle) : this.#stop(handle, this.#timedOut());
      // While it waits for its place the beginning must not be missed: the time-out counts from it.
      if (isRunning) pollMs = Math.min(pollMs * POLL_GROWTH, Math.max(POLL_MOST_MS, this.#pollMs));
    }
  }

  /** undefined: nothing has come in that time, or nobody wants it any more. */
  async #orCancelled(waitMs: number): Promise<string | undefined> {
    const cancellation = this.#call.options?.cancellation;
    const waiting = this.#ports.jobs.wait(this.#ticket.id, waitMs);
    if (cancellation === undefined) return waiting;
    const { promise: cancelled, resolve } = Promise.withResolvers<undefined>();
    const forget = cancellation.onRequest(() => resolve(undefined));
    // Whoever is not waited for any more may still fail.
    waiting.catch(() => undefined);
    try {
      return cancellation.requested ? undefined : await Promise.race([waiting, cancelled]);
    } finally {
      forget();
    }
  }

  /** undefined: the place cannot be asked now. The job may report all the same, and the time-out bounds the wait. */
  async #look(handle: string): Promise<JobState | undefined> {
    try {
      return await this.#driver.look(handle);
    } catch {
      return undefined;
    }
  }

  async #reported(text: string): Promise<Outcome> {
    const reply = parseReport(text);
    const { operation, environment } = this.#call;
    if (reply?.kind === "result") return this.#close(reply.result);
    if (reply?.kind === "output_artifact") {
      return this.#close({ ...reply.result, output: await this.#ports.artifacts.text(reply.id) });
    }
    const [code, what] =
      reply === undefined
        ? ([
            "implementation_failed",
            `Cannot read the report of "${operation.name}": ${REPORT_RULE}; it is neither`,
          ] as const)
        : ([
            "host_outdated",
            `Cannot run "${operation.name}" in "${environment.name}": its host must take the definition in the order; it asks for it`,
          ] as const);
    return this.#close({ ok: false, error: { code, detail: what }, retry: { kind: "may" }, logs: [] });
  }

  /** Its callback may be on the way, or lost. */
  async #ended(outcome: Outcome): Promise<Outcome> {
    const report = await this.#ports.jobs.wait(this.#ticket.id, this.#graceMs);
    return report === undefined ? this.#close(outcome) : this.#reported(report);
  }

  async #queuedTooLong(handle: string): Promise<Outcome> {
    const detail = `Cannot run "${this.#call.operation.name}" in "${this.#call.environment.name}": a job must get its place within ${this.#queueLimitMs} ms; it still waits for one`;
    await this.#tryStop(handle);
    return this.#failedBeforeFetch("environment_throttled", detail);
  }

  #unreached(thrown: unknown): Promise<Outcome> {
    const { message } = toSwitchyardError(thrown);
    return this.#failedBeforeFetch(
      "environment_unavailable",
      `Cannot start a job in "${this.#call.environment.name}": the place must answer; it did not, ${START_AGAIN_MS.length + 1} times: ${message}`,
    );
  }

  /** A module runs only with its order, which nobody can fetch any more. A container may have been given all it needs. */
  async #failedBeforeFetch(
    code: "environment_throttled" | "environment_unavailable",
    detail: string,
  ): Promise<Outcome> {
    const { fetched } = await this.#ports.jobs.close(this.#ticket.id);
    if (!fetched && this.#call.operation.implementation.kind === "module") return unstarted(code, detail);
    return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
  }

  async #stop(handle: string, outcome: Outcome): Promise<Outcome> {
    await this.#tryStop(handle);
    return this.#close(outcome);
  }

  async #tryStop(handle: string): Promise<void> {
    try {
      await this.#driver.stop(handle);
    } catch {
      // It goes on by itself then; what it reports is refused.
    }
  }

  async #close<Result extends Outcome>(outcome: Result): Promise<Result> {
    try {
      await this.#ports.jobs.close(this.#ticket.id);
    } catch {
      // It closes itself when its ticket ends. What the job came to is known and counts.
    }
    return outcome;
  }

  get #isCancelled(): boolean {
    return this.#call.options?.cancellation?.requested ?? false;
  }

  #cancelled(): Outcome & { ok: false } {
    const detail = `Cannot finish "${this.#call.operation.name}": somebody must want the result; nobody does`;
    return { ok: false, error: { code: "execution_cancelled", detail }, retry: { kind: "never" }, logs: [] };
  }

  #timedOut(): Outcome {
    const { operation, meta } = this.#call;
    const detail = `Cannot finish "${operation.name}": it must end within ${meta.timeout_ms} ms; it was stopped`;
    return { ok: false, error: { code: "timeout", detail }, retry: { kind: "may" }, logs: [] };
  }
}

function withoutCallback({ environment }: AdapterCall): Outcome {
  return unstarted(
    "environment_misconfigured",
    `Cannot start a job in "${environment.name}": it reports to the platform, whose public address must be set; it is not`,
    { hint: "set PUBLIC_URL (opctl dev --public-url)" },
  );
}

/**
 * A place that starts jobs, for the contract: what it starts reports by putting its report where the platform takes
 * reports, in real time, because the places under it answer over real connections.
 */
import type { AdapterPorts } from "../../../src/adapters/adapter.ts";
import { contextOf, type TraceContext } from "../../../src/core/trace.ts";
import type { HostOrder } from "../../../src/model/host-protocol.ts";
import { joinFrame, splitFrame } from "../../../src/model/frame.ts";
import { FakeJobs } from "../fake-jobs.ts";
import type { Behaviour, Place } from "./contract.ts";
import { fakePorts } from "./fake-ports.ts";

/** As fast as tests want it. */
export const QUICK = { pollMs: 20, reportGraceMs: 40 };

/** Waits in real time. */
export class WaitingJobs extends FakeJobs {
  override async wait(id: string, waitMs: number): Promise<string | undefined> {
    const until = Date.now() + waitMs;
    for (;;) {
      const report = this.jobs.find(({ ticket }) => ticket.id === id)?.report;
      if (report !== undefined || Date.now() >= until) return report;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

export type Refusal = "throttled" | "refused" | "missing";

export type JobSite = {
  /** Nobody answers any more. */
  vanish(): void;
  /** The job's machine is lost. */
  breakOff(): void;
  stopped(): boolean;
};

const output = (value: string) => joinFrame({ ok: true, logs: [] }, value);

/** The site calls `started` for each job that it has made. */
export function jobPlace(site: JobSite) {
  const jobs = new WaitingJobs();
  let behaviour: Behaviour = { kind: "echo" };
  let runs = 0;
  let trace: TraceContext | undefined;
  const report = (text: string) => {
    // As the platform: whoever reports first is believed.
    jobs.last.report ??= text;
  };
  const started = (): void => {
    runs += 1;
    jobs.last.fetched = true;
    const [head, input] = splitFrame(jobs.last.order);
    trace = contextOf((JSON.parse(head) as HostOrder).meta);
    switch (behaviour.kind) {
      case "value":
        return report(output(JSON.stringify(behaviour.value)));
      case "answers_twice":
        report(output(JSON.stringify(behaviour.value)));
        return report(output('"the second"'));
      case "fails": {
        const error = { code: "implementation_failed", detail: behaviour.detail };
        return report(joinFrame({ ok: false, error, retry: { kind: behaviour.retry }, logs: [] }, ""));
      }
      case "breaks_off":
        return site.breakOff();
      case "hangs":
        return;
      case "echo":
      case "throttles":
      case "unreachable":
      case "missing":
      case "refuses_credentials":
        return report(output(input));
    }
  };
  const ports: AdapterPorts = fakePorts({
    jobs,
    platformUrl: "https://platform.test",
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))),
  });
  const place: Pick<Place, "behave" | "runs" | "trace" | "stopped"> = {
    behave(next) {
      behaviour = next;
      runs = 0;
      if (next.kind === "unreachable") site.vanish();
    },
    runs: () => runs,
    trace: () => trace,
    stopped: () => site.stopped(),
  };
  /** How the next start is refused; undefined: it is not. */
  const refusal = (): Refusal | undefined => {
    if (behaviour.kind === "refuses_credentials") return "refused";
    if (behaviour.kind === "missing") return "missing";
    return behaviour.kind === "throttles" && behaviour.times-- > 0 ? "throttled" : undefined;
  };
  return { ports, place, started, refusal };
}

export const JOBS_CANNOT = { too_large: "a job fetches its order, whatever its size" };

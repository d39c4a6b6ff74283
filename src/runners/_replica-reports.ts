/**
 * What one runner says of its replicas, told on to the services that they are of: at once when it says something new, else every few
 * seconds. One report to a service at a time, so that an older one never comes after a newer one; what could not be told is
 * told with the next.
 */
import * as v from "valibot";
import { REPLICA_STATUSES, RunnerAddressSchema, type PoolReport, type ReplicaReport } from "../model/services.ts";

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const share = v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(1)));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const ReportSchema = v.object({
  replica: text(256),
  service: text(128),
  revision: text(256),
  place: text(64),
  status: v.picklist(REPLICA_STATUSES),
  address: v.nullable(RunnerAddressSchema),
  cpu: share,
  count,
  ready: count,
  ended: v.nullable(text(4_000)),
  lines: v.pipe(v.array(text(4_096)), v.maxLength(20)),
});
const ReportsSchema = v.pipe(v.array(ReportSchema), v.maxLength(2_000));

/** Throws what is no such list. `place` is the runner's name, whatever it says itself. */
export function parseReports(body: string, place: string): ReplicaReport[] {
  const reports = v.parse(ReportsSchema, JSON.parse(body === "" ? "[]" : body));
  for (const report of reports) report.place = place;
  return reports;
}

export type TellService = (service: string, report: PoolReport) => Promise<void>;

type Told = {
  /** What was said last, without what always changes. */
  digest: string;
  at: number;
  isBusy: boolean;
  next: PoolReport | undefined;
  /** It could not be told. */
  failed: PoolReport | undefined;
};

/** The least time between two reports in which nothing but numbers has changed. */
export const TELL_EVERY_MS = 5_000;

export class ReplicaReports {
  readonly #told = new Map<string, Told>();
  #replicas: readonly ReplicaReport[] = [];

  /** Those that have not ended, by service. */
  get services(): Readonly<Record<string, number>> {
    const services: Record<string, number> = {};
    for (const { service, status } of this.#replicas) {
      if (status !== "ended") services[service] = (services[service] ?? 0) + 1;
    }
    return services;
  }

  get count(): number {
    return this.#replicas.filter(({ status }) => status !== "ended").length;
  }

  /** All that the runner has. */
  take(replicas: readonly ReplicaReport[], from: Omit<PoolReport, "replicas">, { tell, now }: Telling): void {
    this.#replicas = replicas;
    const services = new Set([...this.#told.keys(), ...replicas.map(({ service }) => service)]);
    for (const service of services) {
      // Told to stop before it was known: nobody's.
      if (service === "") continue;
      const report = { ...from, replicas: replicas.filter((one) => one.service === service) };
      const told = this.#told.get(service) ?? { digest: "", at: 0, isBusy: false, next: undefined, failed: undefined };
      const digest = digestOf(report);
      // Of a service that has none here any more, that is said once.
      if (told.digest === digest && (Math.abs(now - told.at) < TELL_EVERY_MS || report.replicas.length === 0)) continue;
      this.#told.set(service, Object.assign(told, { digest, at: now }));
      this.#say(service, report, tell);
    }
  }

  #say(service: string, report: PoolReport, tell: TellService): void {
    const told = this.#told.get(service);
    if (told === undefined) return;
    if (told.isBusy) {
      told.next = withEnded(told.next, report);
      return;
    }
    const whole = withEnded(told.failed, report);
    told.isBusy = true;
    told.failed = undefined;
    const done = (failed: PoolReport | undefined) => {
      told.isBusy = false;
      told.failed = failed;
      // The next that the runner says is told whatever it is.
      if (failed !== undefined) told.digest = "";
      const { next } = told;
      told.next = undefined;
      if (next !== undefined) return this.#say(service, next, tell);
      if (failed === undefined && report.replicas.length === 0) this.#told.delete(service);
    };
    tell(service, whole).then(
      () => done(undefined),
      () => done(whole),
    );
  }
}

type Telling = { tell: TellService; now: number };

function digestOf(report: PoolReport): string {
  return JSON.stringify({ ...report, replicas: report.replicas.map((one) => ({ ...one, cpu: null, lines: [] })) });
}

/** A runner says that one has ended once: a report that takes the place of one that has not gone out yet must say so too. */
function withEnded(before: PoolReport | undefined, report: PoolReport): PoolReport {
  const known = new Set(report.replicas.map(({ replica }) => replica));
  const ended = (before?.replicas ?? []).filter(({ status, replica }) => status === "ended" && !known.has(replica));
  return { ...report, replicas: [...report.replicas, ...ended] };
}

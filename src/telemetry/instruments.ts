/**
 * Every counter and histogram of the platform in one closed table: what /metrics is written from, what isolates gather, what
 * the board keeps. Labels have few values: names of operations and environments are bounded by the board, the rest is closed.
 */

/** Upper bounds of every histogram. Seconds; the runtime's clock has milliseconds. */
export const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900] as const;

type Entry = {
  readonly name: string;
  readonly type: "counter" | "histogram";
  readonly labels: readonly Label[];
  readonly help: string;
};
export type Label = "operation" | "environment" | "outcome" | "code" | "reason";

const RUN = ["operation", "environment"] as const;

export const INSTRUMENTS = {
  calls: {
    name: "switchyard_calls_total",
    type: "counter",
    labels: [...RUN, "outcome", "code"],
    help: "Calls: succeeded or failed, accepted to run later, or refused before anything ran.",
  },
  call_duration: {
    name: "switchyard_call_duration_seconds",
    type: "histogram",
    labels: RUN,
    help: "From a synchronous call to its answer, refused ones left out.",
  },
  attempts: {
    name: "switchyard_attempts_total",
    type: "counter",
    labels: [...RUN, "outcome", "code"],
    help: "Attempts at asynchronous executions, as they ended.",
  },
  attempt_duration: {
    name: "switchyard_attempt_duration_seconds",
    type: "histogram",
    labels: RUN,
    help: "From the beginning of an attempt to its end.",
  },
  retries: {
    name: "switchyard_retries_total",
    type: "counter",
    labels: ["operation"],
    help: "Attempts that were not the first of their execution.",
  },
  passed_over: {
    name: "switchyard_passed_over_total",
    type: "counter",
    labels: ["environment", "code"],
    help: "Environments that came first in a row's order and did not run the call.",
  },
  deliveries: {
    name: "switchyard_deliveries_total",
    type: "counter",
    labels: ["outcome", "code"],
    help: "Requests that reached webhooks: accepted, duplicate, refused (not verified) or failed.",
  },
  errors: {
    name: "switchyard_errors_total",
    type: "counter",
    labels: ["code"],
    help: "Refusals and failures of calls, attempts and other requests, by their code.",
  },
  cold_starts: {
    name: "switchyard_cold_starts_total",
    type: "counter",
    labels: ["operation"],
    help: "Times that code had to be fetched because the isolate or host did not have it.",
  },
  service_requests: {
    name: "switchyard_service_requests_total",
    type: "counter",
    labels: ["environment", "outcome"],
    help: "Requests to services, by exposure: warm found a replica, cold waited for one, refused got none.",
  },
  spans_exported: {
    name: "switchyard_spans_exported_total",
    type: "counter",
    labels: [],
    help: "Spans that the collector took.",
  },
  spans_dropped: {
    name: "switchyard_spans_dropped_total",
    type: "counter",
    labels: ["reason"],
    help: "Spans that were lost: the buffer was full, or the collector refused them or did not answer.",
  },
} as const satisfies Record<string, Entry>;

export type Instrument = keyof typeof INSTRUMENTS;

export function isInstrument(text: unknown): text is Instrument {
  return typeof text === "string" && Object.hasOwn(INSTRUMENTS, text);
}

/** A counter has one cell; a histogram one for each bucket, one beyond them, and its sum. */
export function cellsOf(instrument: Instrument): number {
  return INSTRUMENTS[instrument].type === "counter" ? 1 : BUCKETS.length + 2;
}

/** What a series has grown by: the values of its labels in the table's order, and its cells. */
export type Delta = [instrument: Instrument, labels: string[], cells: number[]];

/** Stands for every name beyond the bound. No operation or environment can be called so. */
export const OTHER = "_other";

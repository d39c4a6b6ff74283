/** What a service's object keeps: where it stands, and its replicas. Its tables are in _service-store.ts. */
import type { ErrorData } from "../core/errors.ts";
import type { ReplicaPhase } from "../model/services.ts";
import type { ServiceSettings } from "./messages.ts";

/** Starts that failed in a row. */
export type Crashes = {
  failures: number;
  /** Of the last one, as a sentence's end, and what stood in the way where it was no end of its own. */
  reason: string | null;
  error: ErrorData | null;
  lines: readonly string[];
  /** Nothing is started before. Milliseconds since the epoch. */
  nextAt: number;
  /** There was no place that could take it. */
  unplaced: boolean;
};

export type Head = {
  /** Begins the names of replicas: a service that was deleted and made again never has the names of the one before. */
  life: string;
  settings: ServiceSettings;
  /** Of the row's content that decides how it runs; with `generation`, which a restart raises, it is the revision wanted. */
  content: string;
  generation: number;
  state: string;
  since: number;
  because: readonly string[];
  /** How many are wanted in a state that leaves it open. */
  scaled: number;
  /** Transition → when it was taken last. */
  taken: Readonly<Record<string, number>>;
  crashes: Crashes;
  /** Somebody wants it hot: as if a request waited, until one is ready. */
  nudged: boolean;
  /** Its row was deleted. */
  isGone: boolean;
  /** Number of the next replica. */
  next: number;
  /** Since when no request is under way and no lease given. null: one may be. */
  idleSince: number | null;
};

export type Replica = {
  replica: string;
  revision: string;
  environment: string;
  /** The newest that has said `site`, where it was started. */
  environmentRevision: number;
  site: string;
  /** How it was started: what stops it is of the same sort. */
  place: string;
  address: string | null;
  phase: Exclude<ReplicaPhase, "ended">;
  /** In its phase. */
  since: number;
  /** When it was first wanted, and when it was first ready. */
  begunAt: number;
  readyAt: number | null;
  count: number;
  ready: number;
  cpu: number | null;
  lines: readonly string[];
  step: "start" | "stop" | null;
  /** The step is not asked for before. */
  stepAt: number;
  /** How often the step has failed. */
  tries: number;
  /** Ready once, and now it is not: how, as a sentence's end. It is replaced. */
  broken: string | null;
};

export type StoredEvent = { seq: number; at: number; what: string };

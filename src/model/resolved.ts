/** One closed revision of an operation, ready to run: what the registry hands to dispatch. */
import type { Issue } from "../core/errors.ts";
import type { ModuleLanguage } from "./entities.ts";
import type {
  ContainerImplementation,
  HttpImplementation,
  LambdaImplementation,
  ProcessImplementation,
} from "./implementations.ts";
import type { Capabilities } from "./environment.ts";
import type { ConcurrencyPolicy, RecordPolicy, RetryPolicy } from "./execution.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { ProvidedBy } from "./services.ts";

/** The verdict on a value. `value` is the checked one with defaults filled in; the one passed in is not changed. */
export type CheckResult = { ok: true; value: unknown; changed: boolean } | { ok: false; errors: Issue[] };

/** A stored type, compiled once. */
export type CompiledType = {
  /** JSON Schema 2020-12, self-contained: every reference leads inside it. */
  readonly schema: boolean | Record<string, unknown>;
  /** True when the type has no constraint at all, so that a check can be left out. */
  readonly any: boolean;
  /** `changed` says whether a default was filled in, so that the original text cannot be passed on. */
  check(value: unknown): CheckResult;
};

export type Implementation =
  | { kind: "module"; sha256: string; export: string; language: ModuleLanguage }
  | ({ kind: "process" } & ProcessImplementation)
  | ({ kind: "container" } & ContainerImplementation)
  | ({ kind: "http" } & HttpImplementation)
  | ({ kind: "lambda" } & LambdaImplementation)
  /** A request to a service, by the exposure that leads there now. */
  | ({ kind: "service" } & ProvidedBy)
  /** A function of the platform itself. `scope` is what its principal must hold, whatever the row is called. */
  | { kind: "builtin"; function: string };

export type ResolvedOperation = {
  name: string;
  revision: number;
  digest: string;
  /** That of the row in force, also for an old revision: it says who may call. */
  group: string;
  /** The group that this very revision was written under: secrets were granted to it. */
  secretsGroup: string;
  active: boolean;
  /** Of a synchronous call, and of one attempt of an asynchronous execution. */
  timeoutMs: number;
  attemptTimeoutMs: number;
  isAsync: boolean;
  batch: boolean;
  retry: RetryPolicy;
  concurrency: ConcurrencyPolicy | null;
  /** That of the row in force, also for an old revision: pinning one is no way around it. */
  rateLimit: RateLimit | null;
  record: RecordPolicy;
  retentionMs: number;
  implementation: Implementation;
  input: CompiledType;
  output: CompiledType;
  /** Environments in order of preference; null: any that has what `requires` asks for. */
  environments: readonly string[] | null;
  requires: Capabilities;
  network: readonly string[];
  secrets: readonly string[];
  /** Its row promises that done twice it does no more than done once. */
  repeatable?: boolean;
};

/**
 * The interface of every place that can run an operation. An adapter knows one sort of environment; dispatch knows
 * none. Each implementation passes `test/contracts/adapter`. Adding one: CONTRIBUTING.md.
 */
import { ERRORS, toErrorData, toSwitchyardError, type ErrorCode } from "../core/errors.ts";
import type { AdapterDescription, EnvironmentHandle } from "../model/environment.ts";
import type { Step } from "../model/execution.ts";
import type { InvocationMeta, IsolateDefinition, RetryAdvice, RunOptions } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { ServiceHost } from "./service-host.ts";

export type { EnvironmentHandle } from "../model/environment.ts";

export type AdapterCall = {
  operation: ResolvedOperation;
  environment: EnvironmentHandle;
  /** JSON text that fits the input type, defaults filled in. */
  input: string;
  /** The same value, parsed; an asynchronous attempt has it only for functions of the platform. */
  inputValue: unknown;
  meta: InvocationMeta;
  principal: Principal;
  depth: number;
  options?: RunOptions;
  /** The steps that an attempt before has begun, when it is a chain. */
  steps?: readonly Step[];
  /** No other environment is left to try: where the place is busy or empty, the call may wait for it. */
  isLast: boolean;
};

/** What was found when an environment was looked at. `latency_ms` is of the cheapest request that proves it. */
export type EnvironmentCheck = {
  reachable: boolean;
  /** The credentials are taken, and permit what is needed. null: that cannot be told without running something. */
  allowed: boolean | null;
  latency_ms: number | null;
  /** What keeps it from running operations, as sentences that say what to do. Empty: nothing does. */
  missing: readonly string[];
  /** What else is worth knowing: the host's version, runners connected. */
  facts: Readonly<Record<string, string | number | boolean>>;
};

export interface Adapter extends AdapterDescription {
  /** Runs it once. Never throws for what the implementation did: that is an outcome. */
  invoke(call: AdapterCall): Promise<Outcome>;
  /** Looks at the place without running anything of the users'. Never throws for what it finds. */
  check?(environment: EnvironmentHandle): Promise<EnvironmentCheck>;
  /** It knows by itself whom to ask and when: dispatch remembers nothing of how its calls went. */
  readonly judgesItself?: boolean;
  /** Where it can run services, or leads to those that run already. */
  readonly services?: ServiceHost;
}

/** Where the code of modules comes from: the registry, which knows code and secrets. */
export type IsolateSource = {
  /** operation + code hash + export + network list + secret versions: see IsolateSpec.id. */
  isolateId(operation: ResolvedOperation): string | Promise<string>;
  loadIsolate(operation: ResolvedOperation): Promise<IsolateDefinition>;
};

/** Which addresses requests may reach: public ones, or also those of the team's own network (self-hosted only). */
export type NetworkName = "public" | "private";

/** As much of a socket as adapters use. */
export type TcpConnection = {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Rejects when the connection could not be made: then nothing has been sent. */
  readonly opened: Promise<unknown>;
  close(): Promise<void>;
};

/** What adapters use of the rest of the platform, given to them where they are made. */
export type AdapterPorts = {
  isolates: IsolateSource;
  /** fetch on one of the networks. Throws setting_unsupported where the installation has none of that name. */
  fetchOn(network: NetworkName): (request: Request) => Promise<Response>;
  /** A TCP connection (cloudflare:sockets) to `{hostname, port}` on one of the networks. Throws as fetchOn does. */
  connectOn(network: NetworkName): (address: { hostname: string; port: number }) => TcpConnection;
  /** Where the platform itself is reached from outside, without a slash at the end; undefined where nobody said. */
  platformUrl: string | undefined;
  jobs: JobsPort;
  /** Carries what is too large for a request to the place: as an artifact of the execution. */
  artifacts: {
    /** `operation` is its name: a synchronous execution has no record yet that would tell it. */
    put(executionId: string, text: string, operation: string): Promise<string>;
    text(artifactId: string): Promise<string>;
  };
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(ms: number): Promise<void>;
};

/** What a job is given to fetch its order with and to report its outcome with: one URL, one bearer. */
export type JobTicket = {
  /** Letters, digits and dashes, at most 60: good as the name of what is started. */
  id: string;
  /** GET answers the order (src/model/host-protocol.ts), POST takes the outcome; also for containers of the team's own. */
  url: string;
  token: string;
};

export type OpenedJob = {
  ticket: JobTicket;
  /** Set when an earlier attempt of the same execution has started the job: it is to be followed, not started again. */
  handle: string | undefined;
};

/** Work that was started elsewhere and reports back by itself. Durable: it outlives the platform's processes. */
export interface JobsPort {
  /**
   * Opens the job of an execution (or item), or finds the one that an interrupted attempt has left. `order` is a frame
   * without definition: that is added, fresh, when the order is fetched, so that no secret is kept with it.
   */
  open(job: { meta: InvocationMeta; environment: string; order: string }): Promise<OpenedJob>;
  /** Notes what the place calls it, so that it can be found again. */
  note(id: string, handle: string): Promise<void>;
  /** What the job reported: JSON text of its outcome; undefined when nothing has come within `waitMs`. */
  wait(id: string, waitMs: number): Promise<string | undefined>;
  /** Nobody is interested any more; what is reported later is refused. Tells whether the order was ever fetched. */
  close(id: string): Promise<{ fetched: boolean }>;
}

/** What an adapter answers for what was thrown: what the caller would have to mend is no better at the next try. */
export function outcomeOfThrown(thrown: unknown): Outcome {
  const error = toErrorData(toSwitchyardError(thrown));
  if (error.after_ms !== undefined) {
    return { ok: false, error, retry: { kind: "after", after_ms: error.after_ms }, logs: [] };
  }
  const kind = ERRORS[error.code].fault === "user" ? "never" : "may";
  return { ok: false, error, retry: { kind }, logs: [] };
}

/** A failure of which it is certain that nothing of the implementation has run. */
export function unstarted(
  code: ErrorCode,
  detail: string,
  more: { hint?: string; retry?: RetryAdvice } = {},
): Outcome & { ok: false } {
  const { hint, retry = { kind: "may" } } = more;
  return {
    ok: false,
    error: { code, detail, ...(hint === undefined ? {} : { hint }) },
    retry,
    logs: [],
    unstarted: true,
  };
}

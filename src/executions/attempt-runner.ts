/**
 * Makes attempts: a stateless invocation that takes a group of claims of one shard, runs each as dispatch does, and
 * reports how they ended. While one goes on its lease is renewed, and it is told to stop when it does not count any more.
 */
import { Cancellation } from "../core/cancellation.ts";
import {
  ERRORS,
  SwitchyardError,
  toErrorData,
  toSwitchyardError,
  type ErrorCode,
  type ErrorData,
} from "../core/errors.ts";
import { sha256, utf8Length } from "../core/hash.ts";
import { batchOutput, invokeBatch } from "../dispatch/batch.ts";
import { invoke, type InvokePorts } from "../dispatch/invoke.ts";
import { isFinal } from "../model/execution-states.ts";
import type { RetryAdvice } from "../model/invocation.ts";
import type { ItemOutcome, Outcome } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { outputKey } from "./artifacts/payload-store.ts";
import type { Claim, Ending, Payload, Settled, Settlement } from "./messages.ts";
import type { Payloads } from "./payloads.ts";

/** How often leases are renewed; also how soon an attempt hears that it was cancelled. */
const RENEW_MS = 1_000;

/** How long an ending waits for each attempt of its group that is still open, so that they are reported together. */
const GATHER_MS_EACH = 0.1;
const GATHER_MAX_MS = 4;

/** How long a shard may be away before what was done is given up, and done again. */
const SETTLE_MAX_MS = 5 * 60_000;

/** What a runner asks of the shard whose attempts it makes. */
export type RunnerShard = {
  settle(text: string): Promise<string>;
  renew(attempts: { id: string; attempt: number }[]): Promise<string[]>;
  progress(id: string, attempt: number, items: string): Promise<boolean>;
};

export type RunnerPorts = InvokePorts & {
  registry: {
    resolve(name: string, options: { revision?: number }): Promise<{ operation: ResolvedOperation }>;
    principalById(id: string): Promise<Principal>;
  };
  payloads: Payloads;
  /** What became of an execution, for those of this isolate who wait for it. */
  ended(id: string, outcome: Outcome): void;
  now(): number;
};

/** The platform's own failures, after which an attempt has not begun: it is put back and costs no try. */
const NOT_BEGUN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "registry_unavailable",
  "registry_behind",
  "operation_inactive",
  "no_environment",
  "secret_unavailable",
  "artifact_store_unavailable",
]);
/** What another try of the same revision would meet again. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "operation_not_found",
  "module_invalid",
  "output_too_large",
  "call_depth_exceeded",
  "token_unknown",
  "token_revoked",
  "token_expired",
  "forbidden",
  "payload_lost",
]);

type Open = { attempt: number; cancellation: Cancellation };
type Ended = { settlement: Settlement; outcome: Outcome };

export async function runClaims(claims: readonly Claim[], shard: RunnerShard, ports: RunnerPorts): Promise<void> {
  const open = new Map<string, Open>();
  let going = claims.length;
  const settler = new Settler(() => going, shard, ports);
  const group = {};
  void renewLeases(open, shard);
  await Promise.all(
    claims.map(async (claim) => {
      const cancellation = new Cancellation();
      open.set(claim.id, { attempt: claim.attempt, cancellation });
      const ended = await attempt(claim, { group, cancellation }, shard, ports);
      going -= 1;
      // Its lease is renewed until its end is known to the shard, however long that takes.
      await settler.add(ended);
      open.delete(claim.id);
    }),
  );
}

async function renewLeases(open: ReadonlyMap<string, Open>, shard: RunnerShard): Promise<void> {
  for (;;) {
    // What is left of the last wait ends with the invocation.
    await scheduler.wait(RENEW_MS);
    if (open.size === 0) return;
    try {
      const gone = await shard.renew([...open].map(([id, { attempt: number }]) => ({ id, attempt: number })));
      for (const id of gone) open.get(id)?.cancellation.request();
    } catch {
      // It may be restarting. The lease outlasts several of these.
    }
  }
}

type Run = { outcome: Outcome; environment: string | null; ending: Ending };
type Options = { group: object; cancellation: Cancellation };

async function attempt(claim: Claim, options: Options, shard: RunnerShard, ports: RunnerPorts): Promise<Ended> {
  const startedAt = ports.now();
  let run: Run;
  try {
    run = await runOnce(claim, options, shard, ports);
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    // A refusal before anything ran. What its caller would have to mend, nobody mends for a kept call.
    const hopeless = ERRORS[error.code].fault === "user";
    const outcome: Outcome = { ok: false, error, retry: { kind: hopeless ? "never" : "may" }, logs: [] };
    run = { outcome, environment: null, ending: await endingOf(claim, outcome, ports) };
  }
  const { outcome, environment, ending } = run;
  return {
    outcome,
    settlement: {
      id: claim.id,
      attempt: claim.attempt,
      environment,
      started_at: startedAt,
      finished_at: ports.now(),
      ending,
      ...(outcome.logs.length === 0 ? {} : { logs: outcome.logs }),
    },
  };
}

async function runOnce(claim: Claim, options: Options, shard: RunnerShard, ports: RunnerPorts): Promise<Run> {
  const { operation: name, head } = claim;
  const { operation } = await ports.registry.resolve(name, { revision: head.revision });
  // Closing an operation holds back what waits for it; it goes on when the operation is opened again.
  if (!operation.active) {
    throw new SwitchyardError("operation_inactive", `Cannot run "${name}" now: its row says active: false`);
  }
  const text = await ports.payloads.read(claim.input);
  const builtin = operation.implementation.kind === "builtin";
  const call = {
    operation,
    principal: builtin
      ? await ports.registry.principalById(head.principal)
      : { id: head.principal, name: head.principal, scopes: [] },
    depth: head.depth,
    options,
    meta: {
      execution_id: claim.id,
      attempt: claim.attempt,
      operation: name,
      revision: head.revision,
      caller: head.caller,
      traceparent: head.traceparent,
      timeout_ms: head.timeout_ms,
    },
  };
  if (head.batch) return runBatch(claim, { ...call, items: JSON.parse(text) as unknown[] }, shard, ports);
  const input = { text, value: builtin ? (JSON.parse(text) as unknown) : undefined };
  const { outcome, environment } = await invoke(
    {
      ...call,
      input,
      meta: { ...call.meta, live: true },
      ...(claim.steps === undefined ? {} : { steps: claim.steps }),
    },
    ports,
  );
  return { outcome, environment, ending: await endingOf(claim, outcome, ports) };
}

/** How often what became of items is written down while others go on. */
const PROGRESS_MS = 250;

async function runBatch(
  claim: Claim,
  call: Parameters<typeof invokeBatch>[0],
  shard: RunnerShard,
  ports: RunnerPorts,
): Promise<Run> {
  let fresh: Record<string, ItemOutcome> = {};
  let noted = Promise.resolve();
  let lastAt = ports.now();
  const note = (): Promise<void> => {
    const items = JSON.stringify(fresh);
    fresh = {};
    lastAt = ports.now();
    return (noted = noted.then(async () => {
      // What cannot be written now is run again, should this attempt not come to its end.
      await shard.progress(claim.id, claim.attempt, items).catch(() => false);
    }));
  };
  const batch = await invokeBatch(call, ports, {
    ...(claim.items === undefined ? {} : { done: claim.items }),
    now: ports.now,
    onDone: (place, outcome) => {
      if (outcome.ok || isHopeless(outcome)) fresh[String(place)] = outcome;
      if (ports.now() - lastAt > PROGRESS_MS) void note();
    },
  });
  const { outcomes, environment, logs, failure } = batch;
  const text = batchOutput(outcomes);
  if (failure === undefined) {
    await noted;
    const outcome: Outcome = { ok: true, output: text, logs };
    return { outcome, environment, ending: await endingOf(claim, outcome, ports) };
  }
  await note();
  const failed = outcomes.filter((outcome) => !outcome.ok);
  const outcome: Outcome = { ok: false, error: failure, retry: adviceOf(failed), logs };
  const lost = failed.find(({ error }) => error.code === "executor_lost");
  if (lost !== undefined) return { outcome, environment, ending: { kind: "lost", error: lost.error } };
  const kept = await endingOf(claim, { ok: true, output: text, logs }, ports);
  if (kept.kind !== "succeeded") return { outcome, environment, ending: kept };
  // The list so far is the output for as long as there is no better one.
  return { outcome, environment, ending: { ...kept, kind: "failed", error: failure, retry: outcome.retry } };
}

/** Again, as long as one item may come to a better end; the longest wait that one of them asks for. */
function adviceOf(failed: readonly Extract<ItemOutcome, { ok: false }>[]): RetryAdvice {
  const again = failed.filter((outcome) => !isHopeless(outcome));
  if (again.length === 0) return { kind: "never" };
  const waits = again.flatMap(({ retry }) => (retry.kind === "after" ? [retry.after_ms] : []));
  return waits.length === 0 ? { kind: "may" } : { kind: "after", after_ms: Math.max(...waits) };
}

function isHopeless({ error, retry }: { error: ErrorData; retry: RetryAdvice }): boolean {
  return retry.kind === "never" || HOPELESS.has(error.code);
}

async function endingOf(claim: Claim, outcome: Outcome, { payloads }: RunnerPorts): Promise<Ending> {
  if (!outcome.ok) {
    const { error, retry } = outcome;
    if (error.code === "executor_lost") return { kind: "lost", error };
    if (NOT_BEGUN.has(error.code)) return { kind: "put_back", error };
    return { kind: "failed", error, retry: isHopeless({ error, retry }) ? { kind: "never" } : retry };
  }
  const { output: text } = outcome;
  try {
    const output: Payload = await payloads.write(outputKey(claim.id, claim.attempt), text);
    return { kind: "succeeded", output, sha256: await sha256(text), size_bytes: utf8Length(text) };
  } catch (thrown) {
    // It has run; only its result cannot be kept. Another try may find the store back.
    return { kind: "failed", error: toErrorData(toSwitchyardError(thrown)), retry: { kind: "may" } };
  }
}

/** Endings that come close together are reported together. */
class Settler {
  /** Attempts of the group that have not ended. */
  readonly #going: () => number;
  readonly #shard: RunnerShard;
  readonly #ports: RunnerPorts;
  #waiting: Ended[] = [];
  #flush: Promise<void> | undefined;

  constructor(going: () => number, shard: RunnerShard, ports: RunnerPorts) {
    this.#going = going;
    this.#shard = shard;
    this.#ports = ports;
  }

  async add(ended: Ended): Promise<void> {
    this.#waiting.push(ended);
    while (this.#waiting.includes(ended)) await (this.#flush ??= this.#send());
  }

  async #send(): Promise<void> {
    await scheduler.wait(Math.min(GATHER_MAX_MS, Math.floor(this.#going() * GATHER_MS_EACH)));
    const batch = this.#waiting.slice(0, 500);
    const text = JSON.stringify(batch.map(({ settlement }) => settlement));
    // The result of an attempt is worth waiting for, and a message that is repeated is refused by its attempt.
    const giveUpAt = this.#ports.now() + SETTLE_MAX_MS;
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 2_000)) {
      try {
        const settled = JSON.parse(await this.#shard.settle(text)) as Settled;
        for (const [place, { settlement, outcome }] of batch.entries()) {
          const status = settled[place];
          if (status !== null && status !== undefined && isFinal(status)) this.#ports.ended(settlement.id, outcome);
        }
        break;
      } catch (error) {
        console.error(JSON.stringify({ level: "warn", message: `executions: cannot settle yet: ${String(error)}` }));
        if (this.#ports.now() > giveUpAt) break;
        await scheduler.wait(waitMs);
      }
    }
    this.#waiting = this.#waiting.slice(batch.length);
    this.#flush = undefined;
  }
}

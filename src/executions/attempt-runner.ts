/**
 * Makes attempts: a stateless invocation that takes a group of claims of one shard, runs each as dispatch does, and
 * reports how they ended. While one goes on its lease is renewed, and it is told to stop when it does not count any more.
 */
import { toErrorData, toSwitchyardError, type ErrorCode } from "../core/errors.ts";
import { sha256 } from "../core/hash.ts";
import { parseJsonText } from "../core/json.ts";
import type { InvokePorts } from "../dispatch/invoke.ts";
import { invoke } from "../dispatch/invoke.ts";
import { isFinal, type ExecutionStatus } from "../model/execution-states.ts";
import type { Outcome } from "../model/outcome.ts";
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

/** What a runner asks of the shard whose attempts it makes. */
export type RunnerShard = {
  settle(text: string): Promise<string>;
  renew(attempts: { id: string; attempt: number }[]): Promise<string[]>;
};

export type RunnerPorts = InvokePorts & {
  registry: {
    resolve(name: string, options: { revision?: number }): Promise<{ operation: ResolvedOperation }>;
    principalById(id: string): Promise<Principal>;
  };
  payloads: Payloads;
  /** What became of an execution, for those of this isolate who wait for it. */
  ended(id: string, status: ExecutionStatus, outcome: Outcome): void;
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

type Ended = { settlement: Settlement; outcome: Outcome };

export async function runClaims(claims: readonly Claim[], shard: RunnerShard, ports: RunnerPorts): Promise<void> {
  const open = new Map<string, { attempt: number; abort: AbortController }>();
  const settler = new Settler(open, shard, ports);
  const group = {};
  const stop = new AbortController();
  void renewLeases(open, shard, stop.signal);
  await Promise.all(
    claims.map(async (claim) => {
      const abort = new AbortController();
      open.set(claim.id, { attempt: claim.attempt, abort });
      const ended = await attempt(claim, { group, signal: abort.signal }, ports);
      open.delete(claim.id);
      await settler.add(ended);
    }),
  );
  stop.abort();
}

async function renewLeases(
  open: ReadonlyMap<string, { attempt: number; abort: AbortController }>,
  shard: RunnerShard,
  stopped: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await scheduler.wait(RENEW_MS, { signal: stopped });
    } catch {
      return;
    }
    try {
      const gone = await shard.renew([...open].map(([id, { attempt: number }]) => ({ id, attempt: number })));
      for (const id of gone) open.get(id)?.abort.abort();
    } catch {
      // It may be restarting. The lease outlasts several of these.
    }
  }
}

async function attempt(
  claim: Claim,
  options: { group: object; signal: AbortSignal },
  ports: RunnerPorts,
): Promise<Ended> {
  const startedAt = ports.now();
  const { id, operation: name, head } = claim;
  let environment: string | null = null;
  let outcome: Outcome;
  let ending: Ending;
  try {
    const { operation } = await ports.registry.resolve(name, { revision: head.revision });
    const input = await ports.payloads.read(claim.input);
    const run = await invoke(
      {
        operation,
        input: { text: input, value: operation.implementation.kind === "builtin" ? parseJsonText(input) : undefined },
        principal:
          operation.implementation.kind === "builtin"
            ? await ports.registry.principalById(head.principal)
            : { id: head.principal, name: head.principal, scopes: [] },
        depth: head.depth,
        options,
        meta: {
          execution_id: id,
          attempt: claim.attempt,
          operation: name,
          revision: head.revision,
          caller: head.caller,
          traceparent: head.traceparent,
          timeout_ms: head.timeout_ms,
          live: true,
        },
      },
      ports,
    );
    ({ environment, outcome } = run);
    ending = await endingOf(claim, outcome, ports);
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    outcome = { ok: false, error, retry: { kind: "may" }, logs: [] };
    ending = await endingOf(claim, outcome, ports);
  }
  return {
    outcome,
    settlement: {
      id,
      attempt: claim.attempt,
      environment,
      started_at: startedAt,
      finished_at: ports.now(),
      ending,
      ...(outcome.logs.length === 0 ? {} : { logs: outcome.logs }),
    },
  };
}

async function endingOf(claim: Claim, outcome: Outcome, { payloads }: RunnerPorts): Promise<Ending> {
  if (!outcome.ok) {
    const { error, retry } = outcome;
    if (error.code === "executor_lost") return { kind: "lost", error };
    if (NOT_BEGUN.has(error.code)) return { kind: "put_back", error };
    return { kind: "failed", error, retry: HOPELESS.has(error.code) ? { kind: "never" } : retry };
  }
  const { output: text } = outcome;
  try {
    const output: Payload = await payloads.write(outputKey(claim.id, claim.attempt), text);
    const bytes = new TextEncoder().encode(text);
    return { kind: "succeeded", output, sha256: await sha256(text), size_bytes: bytes.byteLength };
  } catch (thrown) {
    // It has run; only its result cannot be kept. Another try may find the store back.
    return { kind: "failed", error: toErrorData(toSwitchyardError(thrown)), retry: { kind: "may" } };
  }
}

/** Endings that come close together are reported together. */
class Settler {
  readonly #open: ReadonlyMap<string, unknown>;
  readonly #shard: RunnerShard;
  readonly #ports: RunnerPorts;
  #waiting: Ended[] = [];
  #flush: Promise<void> | undefined;

  constructor(open: ReadonlyMap<string, unknown>, shard: RunnerShard, ports: RunnerPorts) {
    this.#open = open;
    this.#shard = shard;
    this.#ports = ports;
  }

  async add(ended: Ended): Promise<void> {
    this.#waiting.push(ended);
    while (this.#waiting.includes(ended)) await (this.#flush ??= this.#send());
  }

  async #send(): Promise<void> {
    await scheduler.wait(Math.min(GATHER_MAX_MS, Math.floor(this.#open.size * GATHER_MS_EACH)));
    const batch = this.#waiting.slice(0, 500);
    const text = JSON.stringify(batch.map(({ settlement }) => settlement));
    // Until it is heard: the result of an attempt is worth waiting for, and a repeated message is refused by its attempt.
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 2_000)) {
      try {
        const settled = JSON.parse(await this.#shard.settle(text)) as Settled;
        for (const [place, { settlement, outcome }] of batch.entries()) {
          const status = settled[place];
          if (status !== null && status !== undefined && isFinal(status))
            this.#ports.ended(settlement.id, status, outcome);
        }
        break;
      } catch (error) {
        console.error(JSON.stringify({ level: "warn", message: `executions: cannot settle yet: ${String(error)}` }));
        if (waitMs >= 2_000) break;
        await scheduler.wait(waitMs);
      }
    }
    this.#waiting = this.#waiting.slice(batch.length);
    this.#flush = undefined;
  }
}

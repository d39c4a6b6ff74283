/**
 * Keeps calls before they run: which shard, which lane, which key; and waits for what becomes of them.
 *
 * Whatever must be atomic shares a shard: with `concurrency` it comes from the lane, with an Idempotency-Key from the key.
 * With both, the key's shard holds the execution's id first; a crash before the execution itself is written is mended by
 * the next call with that key, which finds the id and writes it again.
 */
import { SwitchyardError } from "../core/errors.ts";
import { canonicalJson, digestOf, sha256 } from "../core/hash.ts";
import { newExecutionId, shardOfExecutionId } from "../core/ids.ts";
import { LIMITS } from "../core/limits.ts";
import { contextOf } from "../core/trace.ts";
import type { Kept, KeeperPort, KeptCall } from "../dispatch/dispatch.ts";
import { isFinal } from "../model/execution-states.ts";
import type { Wanted } from "../model/ended.ts";
import type { ExecutionView } from "../model/execution.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Caller } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { CHAIN_FUNCTION } from "../registry/builtins/chain-input.ts";
import { DELIVERY_FUNCTION } from "../registry/builtins/delivery-function.ts";
import { succeeded } from "./_ending.ts";
import { inputKey } from "./artifacts/payload-store.ts";
import { referencedArtifacts } from "./artifacts/referenced-artifacts.ts";
import type { Accepter, Accepting, ExecutionNamespace } from "./accepter.ts";
import { nameOfShard, SHARDS } from "./execution-shard.ts";
import type { Accept, AcceptReply, Head, KeyClaim, Settlement } from "./messages.ts";
import type { Payloads } from "./payloads.ts";
import type { WantedPort } from "./port.ts";
import type { Waiting } from "./waiting.ts";

export type KeeperPorts = {
  namespace: ExecutionNamespace;
  accepter: Accepter;
  payloads: Payloads;
  waiting: Waiting;
  /** Which ends of such a call somebody wants to hear of now. Never throws. */
  wanted: WantedPort;
  /** Keeps artifacts for as long as the execution that names them. */
  hold(executionId: string, artifacts: string[]): Promise<void>;
  now(): number;
};

type Sent = { item: Accept; accepting: Accepting };

/** How long a caller who waits does without the news that its call was accepted. */
const EARLY_MS = 200;

/** The longest lane that is kept as it is; longer ones by their hash. */
const LANE_CHARS = 200;

export class Keeper implements KeeperPort {
  readonly #ports: KeeperPorts;

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
  }

  async keep(call: KeptCall): Promise<Kept> {
    return this.#kept(call, await this.#accept(call, false));
  }

  async keepAndWait(call: KeptCall, waitMs: number): Promise<{ kept: Kept; outcome: Outcome | undefined }> {
    const sent = await this.#accept(call, true);
    const { accepting } = sent;
    const { id } = sent.item;
    if (call.caller.type !== "execution") {
      // Its end says that it was accepted; one news less to wake for.
      const early = await this.#ports.waiting.early(id, Math.min(waitMs, EARLY_MS), accepting.notAccepted);
      if (early !== undefined) return { kept: { id, repeated: false }, outcome: early.outcome };
    }
    const kept = await this.#kept(call, sent);
    return { kept, outcome: await this.outcome(kept.id, waitMs) };
  }

  /** The same call once more, beside the execution that it repeats as long as no limit ties it elsewhere. */
  async replay(call: KeptCall, original: string): Promise<Kept> {
    const kept = await this.#kept(call, await this.#accept(call, false, original));
    const home = shardOfExecutionId(original) ?? 0;
    if (home !== shardOfExecutionId(kept.id)) await this.#shard(home).linkReplay(original, kept.id);
    return kept;
  }

  async #accept(call: KeptCall, urgent: boolean, original?: string): Promise<Sent> {
    const { operation, input } = call;
    const { lane, shard: laneShard } = await placeOf(operation, call.mode, input.value);
    const key = await keyOf(call, this.#ports.now());
    const beside = call.beside === undefined ? undefined : shardOfExecutionId(call.beside);
    const keyShard = key === undefined ? undefined : (beside ?? (await shardOfText(key.hash)));
    const home = original === undefined ? beside : shardOfExecutionId(original);
    let shard = laneShard ?? keyShard ?? home ?? this.#ports.accepter.shard;
    let id = newExecutionId(shard, this.#ports.now());
    const apart = key !== undefined && keyShard !== undefined && keyShard !== shard;
    if (apart) {
      const reserved = await this.#shard(keyShard).reserve(key, id);
      if (reserved.reused) throw keyReused(call, reserved.id);
      id = reserved.id;
      // The key was used before an edit of the row's concurrency: its execution is where its id says.
      shard = shardOfExecutionId(id) ?? shard;
    }
    // Before it is accepted: what its input names is not to be forgotten before the execution is.
    const named = referencedArtifacts(input.text);
    if (named.length > 0) await this.#ports.hold(id, named);
    const item: Accept = {
      id,
      operation: operation.name,
      head: {
        ...headOf(call, this.#ports.now()),
        replay_of: original ?? null,
        ...(await this.#wanted(operation, call.caller)),
      },
      lane,
      max_queued: operation.concurrency?.max_queued ?? null,
      parent: call.caller.type === "execution" ? call.caller.id : null,
      due: call.delayMs > 0 ? this.#ports.now() + call.delayMs : null,
      urgent,
      input: await this.#ports.payloads.write(inputKey(id), input.text),
      ...(apart || key === undefined ? {} : { key }),
    };
    return { item, accepting: this.#ports.accepter.accept(shard, item) };
  }

  async #kept(call: KeptCall, { item, accepting }: Sent): Promise<Kept> {
    let { id } = item;
    let reply = await accepting.reply();
    if (reply.kind === "elsewhere") {
      ({ id } = reply);
      const { key: _, ...rest } = item;
      reply = await this.#ports.accepter.accept(shardOfExecutionId(id) ?? 0, { ...rest, id }).reply();
    }
    const kept = this.#settleReply(call, id, reply);
    await this.#followParent(call, kept);
    return kept;
  }

  #settleReply(call: KeptCall, id: string, reply: AcceptReply): Kept {
    switch (reply.kind) {
      case "accepted":
        return { id, repeated: false };
      case "same":
        return { id: reply.id, repeated: true };
      case "elsewhere":
        throw new TypeError(`the shard of ${reply.id} says that it is elsewhere`);
      case "key_reused":
        throw keyReused(call, reply.id);
      case "queue_full":
        throw new SwitchyardError(
          "queue_full",
          `Cannot accept a call of "${call.operation.name}": at most ${reply.limit} may wait; ${reply.waiting} do`,
        );
    }
  }

  /** A parent that was cancelled meanwhile has told only the children it knew. */
  async #followParent(call: KeptCall, kept: Kept): Promise<void> {
    const shard = call.caller.type === "execution" ? shardOfExecutionId(call.caller.id) : undefined;
    if (shard === undefined) return;
    const parent = await this.#shard(shard).find(call.caller.id);
    if (parent?.status === "cancelled") await this.#shardOf(kept.id).cancel(kept.id);
  }

  async outcome(id: string, waitMs: number): Promise<Outcome | undefined> {
    const ended = await this.#ports.waiting.wait(id, waitMs, (ms) => this.#shardOf(id).wait(id, ms));
    if (ended === undefined) return undefined;
    return "outcome" in ended ? ended.outcome : this.outcomeOf(ended.view);
  }

  /** What an execution that has ended came to; undefined before. */
  async outcomeOf(view: ExecutionView): Promise<Outcome | undefined> {
    if (!isFinal(view.status)) return undefined;
    if (view.status === "succeeded") {
      const output = await this.#shardOf(view.id).output(view.id);
      if (output !== undefined) return { ok: true, output: await this.#ports.payloads.read(output), logs: [] };
    }
    return { ok: false, error: errorOf(view), retry: { kind: "may" }, logs: [] };
  }

  async finish(
    id: string,
    { operation, caller, outcome, environment, passedOver, startedAt }: Parameters<KeeperPort["finish"]>[1],
  ): Promise<void> {
    const settlement: Settlement = {
      id,
      attempt: 1,
      environment,
      ...(passedOver.length === 0 ? {} : { passed_over: passedOver }),
      started_at: startedAt,
      finished_at: this.#ports.now(),
      ending: outcome.ok
        ? await succeeded({ id, attempt: 1 }, outcome.output, this.#ports.payloads)
        : { kind: "failed", error: outcome.error, retry: { kind: "never" } },
      logs: outcome.logs,
      ...(await this.#wanted(operation, caller)),
    };
    await this.#shardOf(id).settle(JSON.stringify([settlement]));
  }

  async #wanted(operation: ResolvedOperation, caller: Caller): Promise<{ wanted?: Wanted }> {
    const wanted = await this.#ports.wanted(operation, caller);
    return wanted === undefined ? {} : { wanted };
  }

  #shard(shard: number) {
    return this.#ports.namespace.getByName(nameOfShard(shard));
  }

  #shardOf(id: string) {
    return this.#shard(shardOfExecutionId(id) ?? 0);
  }
}

/** The built-in, under whatever name. */
function isBuiltin({ implementation }: Pick<ResolvedOperation, "implementation">, name: string): boolean {
  return implementation.kind === "builtin" && implementation.function === name;
}

/** It waits for other executions, or for somebody outside, and must not take the places of those who work. */
function isWaiting(operation: Pick<ResolvedOperation, "implementation">): boolean {
  return isBuiltin(operation, CHAIN_FUNCTION) || isBuiltin(operation, DELIVERY_FUNCTION);
}

function headOf(call: KeptCall, now: number): Omit<Head, "replay_of"> {
  const { mode, operation, caller, principal, depth, expiresMs, idempotencyKey, policy } = call;
  const start = now + call.delayMs;
  return {
    mode,
    revision: operation.revision,
    digest: operation.digest,
    caller,
    principal: principal.id,
    ...contextOf(call),
    depth,
    accepted_at: now,
    timeout_ms: mode === "sync" ? operation.timeoutMs : (policy?.timeoutMs ?? operation.attemptTimeoutMs),
    retry: policy?.retry ?? operation.retry,
    // A key stands for its execution for a day, so that is how long it must be there.
    retention_ms:
      idempotencyKey === undefined ? operation.retentionMs : Math.max(operation.retentionMs, LIMITS.idempotencyMs),
    expires_at: expiresMs === undefined ? null : start + expiresMs,
    limit: mode === "sync" ? null : (operation.concurrency?.limit ?? ownLimit(operation)),
    batch: operation.batch,
    ...(isWaiting(operation) ? { waits: true } : {}),
  };
}

/** A receiver that is slow keeps its own deliveries waiting, and no others. Of one shard. */
function ownLimit(operation: ResolvedOperation): number | null {
  return isBuiltin(operation, DELIVERY_FUNCTION) ? LIMITS.deliveriesAtOnce : null;
}

/**
 * The lane of a call, and the shard that a limit ties it to. An operation is a lane; with a key each value it finds in the
 * input is one, and all inputs without it another. Deliveries have a lane for each subscription, in every shard.
 */
export async function placeOf(
  operation: Pick<ResolvedOperation, "name" | "concurrency" | "implementation">,
  mode: "sync" | "async",
  input: unknown,
): Promise<{ lane: string; shard: number | undefined }> {
  const { name, concurrency } = operation;
  if (concurrency === null && isBuiltin(operation, DELIVERY_FUNCTION)) {
    return { lane: `${name} ${String(valueAt(input, "/subscription"))}`, shard: undefined };
  }
  if (concurrency === null || mode === "sync") return { lane: name, shard: undefined };
  let lane = name;
  if (concurrency.key !== null) {
    const value = valueAt(input, concurrency.key);
    lane = `${name} ${value === undefined ? "" : canonicalJson(value)}`;
    if (lane.length > LANE_CHARS) lane = `${name} ${await sha256(lane)}`;
  }
  return { lane, shard: await shardOfText(lane) };
}

/** RFC 6901. */
function valueAt(value: unknown, pointer: string): unknown {
  let found = value;
  for (const token of pointer.split("/").slice(1)) {
    if (typeof found !== "object" || found === null) return undefined;
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    found = Object.hasOwn(found, name) ? (found as Record<string, unknown>)[name] : undefined;
  }
  return found;
}

async function keyOf(
  { operation, principal, input, idempotencyKey }: KeptCall,
  now: number,
): Promise<KeyClaim | undefined> {
  if (idempotencyKey === undefined) return undefined;
  return {
    hash: await sha256(JSON.stringify([principal.id, operation.name, idempotencyKey])),
    input: await digestOf(input.value),
    expires_at: now + LIMITS.idempotencyMs,
  };
}

async function shardOfText(text: string): Promise<number> {
  return Number.parseInt((await sha256(text)).slice(0, 4), 16) % SHARDS;
}

function keyReused({ operation }: KeptCall, id: string): SwitchyardError {
  return new SwitchyardError(
    "idempotency_key_reused",
    `Cannot call "${operation.name}" with this Idempotency-Key: it stands for one input for 24 hours; that of ${id} was another`,
  );
}

function errorOf(view: ExecutionView): {
  code: "execution_cancelled" | "execution_expired" | "internal";
  detail: string;
} {
  if (view.error !== null && view.status !== "expired") return view.error as never;
  if (view.status === "expired") {
    return {
      code: "execution_expired",
      detail: `Cannot finish the execution "${view.id}": it had to begin by ${view.expires_at}; it did not`,
    };
  }
  return {
    code: "internal",
    detail: `Cannot answer for the execution "${view.id}": it is ${view.status}, and nothing is kept of why`,
  };
}

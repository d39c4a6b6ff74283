/** What the edge can do with executions, over the shards: one of them for an id, all of them for a listing. */
import { SwitchyardError } from "../core/errors.ts";
import { firstExecutionIdAt, shardOfExecutionId } from "../core/ids.ts";
import { contextOf, type TraceContext } from "../core/trace.ts";
import { checkBatchInput } from "../dispatch/batch.ts";
import { checkInput } from "../dispatch/check-input.ts";
import { limit } from "../dispatch/limit.ts";
import { isFinal } from "../model/execution-states.ts";
import type { ExecutionLogLine, ExecutionQuery, ExecutionView } from "../model/execution.ts";
import type { LogLine } from "../model/invocation.ts";
import type { Principal } from "../model/principal.ts";
import type { RateLimitsPort } from "../model/rate-limit.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { ExecutionNamespace } from "./accepter.ts";
import { nameOfShard, SHARDS } from "./execution-shard.ts";
import type { Keeper } from "./keeper.ts";
import type { Payloads } from "./payloads.ts";
import type { Executions, Page, Watched } from "./port.ts";
import type { Recorder } from "./recorder.ts";

type Ports = {
  namespace: ExecutionNamespace;
  keeper: Keeper;
  payloads: Payloads;
  recorder: Recorder;
  registry: { resolve(name: string, options: { revision?: number }): Promise<{ operation: ResolvedOperation }> };
  rateLimits: RateLimitsPort;
};

/** `ex_`, two digits of the shard, `_`: what follows sorts by time over all shards. */
const TIME_AT = "ex_00_".length;
const CURSOR = /^[0-9a-z]{25}$/;

export function createExecutions(ports: Ports): Executions {
  const { namespace, payloads } = ports;
  const shardAt = (shard: number) => namespace.getByName(nameOfShard(shard));
  const shardOf = (id: string) => {
    const shard = shardOfExecutionId(id);
    return shard === undefined || shard >= SHARDS ? undefined : shardAt(shard);
  };

  return {
    async find(id): Promise<ExecutionView | undefined> {
      return ports.recorder.unwritten(id) ?? (await shardOf(id)?.find(id));
    },

    async list(query: ExecutionQuery): Promise<Page<ExecutionView>> {
      const { limit, cursor } = query;
      if (cursor !== undefined && !CURSOR.test(cursor)) throw badCursor(cursor);
      const offered = await Promise.all(
        Array.from({ length: SHARDS }, (_, shard) => {
          const prefix = firstExecutionIdAt(shard, 0).slice(0, TIME_AT);
          const until = query.until === undefined ? "~" : firstExecutionIdAt(shard, query.until).slice(TIME_AT);
          const before = prefix + (cursor !== undefined && cursor < until ? cursor : until);
          const from = query.since === undefined ? prefix : firstExecutionIdAt(shard, query.since);
          return shardAt(shard).listIds({ ...query, limit: limit + 1 }, { from, before });
        }),
      );
      const ids = offered.flat().toSorted(newestFirst);
      const page = ids.slice(0, limit);
      const found = await Promise.all(
        [...Map.groupBy(page, (id) => shardOfExecutionId(id) ?? 0)].map(([shard, some]) =>
          shardAt(shard).findAll(some),
        ),
      );
      // One that was forgotten meanwhile is missing; the cursor stands where the page ends all the same.
      const items = found.flat().toSorted((a, b) => newestFirst(a.id, b.id));
      return { items, next_cursor: ids.length > limit ? (page.at(-1)?.slice(TIME_AT) ?? null) : null };
    },

    async input(id): Promise<string | undefined> {
      const payload = await shardOf(id)?.input(id);
      return payload === undefined ? undefined : payloads.read(payload);
    },

    async output(id): Promise<string | undefined> {
      const payload = await shardOf(id)?.output(id);
      return payload === undefined ? undefined : payloads.read(payload);
    },

    async logs(id, options): Promise<ExecutionLogLine[] | undefined> {
      return shardOf(id)?.logs(id, options);
    },

    async watch(id, options): Promise<Watched | undefined> {
      const view = ports.recorder.unwritten(id);
      if (view !== undefined) return { version: 1, view, logs: [] };
      return shardOf(id)?.watch(id, options);
    },

    async wait(id, waitMs): Promise<ExecutionView | undefined> {
      return ports.recorder.unwritten(id) ?? (await shardOf(id)?.wait(id, waitMs));
    },

    async cancel(id): Promise<ExecutionView | undefined> {
      const view = ports.recorder.unwritten(id) ?? (await shardOf(id)?.cancel(id));
      if (view === undefined || view.status === "cancelled") return view;
      const why =
        view.mode === "sync" ? "it is a synchronous call, which ends with its request" : `it is ${view.status}`;
      throw new SwitchyardError(
        "execution_final",
        `Cannot cancel the execution "${id}": it must not have ended; ${why}`,
      );
    },

    async replay(
      id: string,
      options: { revision: number | "latest" | "same"; principal: Principal } & TraceContext,
    ): Promise<string | undefined> {
      const shard = shardOfExecutionId(id);
      const original = await shardOf(id)?.original(id);
      if (shard === undefined || original === undefined) return undefined;
      if (original.input === undefined) {
        throw new SwitchyardError(
          "bad_request",
          `Cannot replay the execution "${id}": its input must be kept; of a synchronous call it is not`,
          { hint: "call the operation again" },
        );
      }
      if (!isFinal(original.status)) {
        throw new SwitchyardError(
          "execution_final",
          `Cannot replay the execution "${id}": it must have ended; it is ${original.status}`,
        );
      }
      const { revision } = options;
      const { operation } = await ports.registry.resolve(
        original.operation,
        revision === "latest" ? {} : { revision: revision === "same" ? original.head.revision : revision },
      );
      const text = await payloads.read(original.input);
      const stored = { text, value: JSON.parse(text) as unknown };
      const check = operation.batch ? checkBatchInput : checkInput;
      // It fits the types of the revision that it was accepted with, and only of that.
      const input = operation.revision === original.head.revision ? stored : check(operation, stored);
      // A new execution, which must not be a way around the limit.
      if (operation.rateLimit !== null) await limit(operation.name, operation.rateLimit, {}, ports.rateLimits);
      const { id: again } = await ports.keeper.replay(
        {
          mode: "async",
          operation,
          input,
          principal: options.principal,
          caller: { type: "token", id: options.principal.id },
          depth: original.head.depth,
          ...contextOf(options),
          idempotencyKey: undefined,
          delayMs: 0,
          expiresMs: undefined,
          beside: undefined,
          // What was tried otherwise than the row says is tried so again.
          policy:
            operation.revision === original.head.revision && original.head.mode === "async"
              ? { retry: original.head.retry, timeoutMs: original.head.timeout_ms }
              : undefined,
        },
        id,
      );
      return again;
    },

    async appendLogs(id: string, entry: { attempt: number; first: number; lines: readonly LogLine[] }): Promise<void> {
      await shardOf(id)?.appendLogs(id, { ...entry, lines: [...entry.lines] });
    },
  };
}

/** Starts every shard, so that what a lost process left behind goes on at once. */
export async function wakeShards(namespace: ExecutionNamespace): Promise<void> {
  await Promise.all(Array.from({ length: SHARDS }, (_, shard) => namespace.getByName(nameOfShard(shard)).wake()));
}

function newestFirst(a: string, b: string): number {
  return a.slice(TIME_AT) < b.slice(TIME_AT) ? 1 : -1;
}

function badCursor(cursor: string): SwitchyardError {
  return new SwitchyardError(
    "input_invalid",
    `Cannot go on after "${cursor.slice(0, 100)}": the cursor must be the next_cursor of the page before; it is not`,
    { errors: [{ pointer: "/cursor", keyword: "cursor", detail: "must be the next_cursor of the page before" }] },
  );
}

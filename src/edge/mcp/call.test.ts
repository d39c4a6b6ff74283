/** A call of a tool, step by step: what dispatch is told, how an execution is followed, and every way in which it ends. */
import { operationOf } from "../../model/_operation.test-util.ts";
import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { KeptCall } from "../../dispatch/dispatch.ts";
import type { Watched } from "../../executions/port.ts";
import type { ExecutionView } from "../../model/execution.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import { compileType } from "../../types/index.ts";
import { line, VIEW } from "../_fake-platform.node.ts";
import { callTool, type ToolCall } from "./call.ts";
import { follow } from "./follow.ts";

const ID = "ex_03_0000000000000000000000001";
const NUMBER = await compileType({ schema: { type: "number" } }, () => undefined);
const OPERATION = operationOf("double", { isAsync: true, input: NUMBER, output: NUMBER });

const watched = (version: number, view: Partial<ExecutionView>, logs: number[] = []): Watched => ({
  version,
  view: { ...VIEW, id: ID, ...view },
  logs: logs.map(line),
});
const DONE = watched(9, { status: "succeeded" });

type World = {
  tells: (Watched | undefined)[];
  output?: string | null;
  resolves?: Error;
  operation?: Partial<ResolvedOperation>;
};

function setUp({ tells, output = "4", resolves, operation = {} }: World) {
  const told = { progress: [] as string[], logs: [] as string[], waits: [] as number[], cancelled: [] as string[] };
  const kept: KeptCall[] = [];
  const background: Promise<unknown>[] = [];
  const clock = { now: 1_000 };
  const leaving = new AbortController();
  const state = { forgotten: 0 };
  const platform = {
    registry: {
      resolve: async () => {
        if (resolves !== undefined) throw resolves;
        return { operation: { ...OPERATION, ...operation }, stale: false };
      },
    },
    dispatch: {
      registry: { resolve: async () => ({ operation: { ...OPERATION, ...operation }, stale: false }) },
      now: () => clock.now,
      keeper: {
        keep: async (call: KeptCall) => {
          kept.push(call);
          return { id: ID, repeated: false };
        },
      },
    },
    executions: {
      watch: async (_id: string, { waitMs }: { waitMs: number }) => {
        told.waits.push(waitMs);
        clock.now += waitMs;
        // Nothing more to tell: it goes on for ever.
        return tells.length > 0 ? tells.shift() : watched(1, { status: "running" });
      },
      output: async () => output ?? undefined,
      cancel: async (id: string) => void told.cancelled.push(id),
    },
    background: (work: Promise<unknown>) => background.push(work),
  };
  const call = (over: Partial<ToolCall> = {}) =>
    callTool(
      {
        name: "double",
        arguments: { input: 2 },
        trace: { traceparent: VIEW.traceparent, tracestate: "a=b" },
        signal: leaving.signal,
        abandon: true,
        progress: async (message, number) => void told.progress.push(`${number} ${message}`),
        log: async ({ level, message }) => void told.logs.push(`${level} ${message}`),
        onKept: () => () => state.forgotten++,
        ...over,
      },
      {
        platform: platform as never,
        identity: {
          principal: { id: "p", name: "p", scopes: ["ops:invoke:demo"] },
          caller: { type: "token", id: "p" },
          depth: 0,
        },
        view: { groups: undefined, builtins: false },
      },
    );
  const follows = () =>
    follow(
      ID,
      {
        signal: leaving.signal,
        abandon: false,
        again: true,
        wrapped: true,
        log: undefined,
        progress: async (message, number) => void told.progress.push(`${number} ${message}`),
      },
      platform as never,
    );
  return { call, follows, told, kept, state, leaving, background };
}

const codeOf = (result: Awaited<ReturnType<typeof callTool>>): unknown => {
  const { _meta: meta } = result ?? {};
  return (meta?.["switchyard.dev/error"] as { code: string } | undefined)?.code;
};

describe("callTool() of an asynchronous operation", () => {
  it("is kept as an agent's call, with the input taken out of its member", async () => {
    const { call, kept } = setUp({ tells: [DONE] });
    await call();
    expect(kept).toMatchObject([{ caller: { type: "agent", id: "p" }, mode: "async", input: { text: "2" }, depth: 0 }]);
    expect(kept).toMatchObject([{ traceparent: VIEW.traceparent, tracestate: "a=b" }]);
  });

  it("tells states and lines as they come, and answers with the output", async () => {
    const { call, told, state } = setUp({
      tells: [
        watched(1, { status: "queued", attempt: 0 }),
        watched(2, { status: "running", attempt: 1 }),
        watched(2, { status: "running", attempt: 1 }, [1_001]),
        watched(3, { status: "retrying", attempt: 1, error: { code: "timeout", detail: "too slow" } }),
        watched(9, { status: "succeeded" }, [2_001, 2_002]),
        DONE,
      ],
    });
    expect(await call()).toMatchObject({ content: [{ text: "4" }], structuredContent: { output: 4 } });
    expect(told.progress).toEqual([
      "1 queued",
      "2 running, attempt 1",
      "1003 line 1001",
      "1004 retrying, attempt 1: too slow",
      "2004 line 2001",
      "2005 line 2002",
    ]);
    expect(told.logs).toEqual(["info line 1001", "info line 2001", "info line 2002"]);
    expect(state.forgotten).toBe(1);
  });

  it("tells whoever follows it again only what is new", async () => {
    const { follows, told } = setUp({
      tells: [
        watched(2, { status: "running" }, [1_001]),
        watched(2, { status: "running" }, [1_002]),
        watched(9, { status: "succeeded" }),
      ],
    });
    expect(await follows()).toMatchObject({ structuredContent: { output: 4 } });
    expect(told.progress).toEqual(["1004 line 1002"]);
  });

  it.each([
    [true, LIMITS.waitMaxMs],
    [false, LIMITS.agentWaitMs],
  ])("never waits for ever: with progress %s it says after %i ms which execution goes on", async (progress, limit) => {
    const { call, told } = setUp({ tells: [] });
    const result = await call(progress ? {} : { progress: undefined });
    expect(told.waits.reduce((sum, ms) => sum + ms, 0)).toBe(limit);
    expect(codeOf(result)).toBe("execution_unfinished");
    expect(result).toMatchObject({ isError: true, _meta: { "switchyard.dev/execution_id": ID } });
    expect(told.cancelled).toEqual([]);
  });

  it.each([
    [
      "failed for good",
      { status: "dead", error: { code: "implementation_failed", detail: "it threw" } },
      "implementation_failed",
    ],
    [
      "was cancelled",
      { status: "cancelled", error: { code: "execution_cancelled", detail: "by somebody" } },
      "execution_cancelled",
    ],
  ] as const)("answers with the error of what %s", async (_what, view, code) => {
    const { call } = setUp({ tells: [watched(9, view)] });
    expect(codeOf(await call())).toBe(code);
  });

  it("says that an execution, or its output, is gone", async () => {
    expect(codeOf(await setUp({ tells: [undefined] }).call())).toBe("entity_not_found");
    expect(codeOf(await setUp({ tells: [DONE], output: null }).call())).toBe("entity_not_found");
  });

  it.each([
    [true, [ID]],
    [false, []],
  ])("whose client has gone is given up: %s", async (abandon, cancelled) => {
    const { call, told, leaving, background, state } = setUp({ tells: [] });
    leaving.abort();
    expect(codeOf(await call({ abandon }))).toBe("execution_unfinished");
    await Promise.all(background);
    expect(told.cancelled).toEqual(cancelled);
    expect(state.forgotten).toBe(1);
  });
});

describe("callTool() that is refused", () => {
  it.each<[string, Partial<ResolvedOperation>]>([
    ["of another group", { group: "other" }],
    ["switched off", { active: false }],
    ["of the platform, not asked for", { name: "get_type", implementation: { kind: "builtin", function: "get_type" } }],
    ["of the platform, above its scopes", { implementation: { kind: "builtin", function: "delete_token" } }],
    ["of the platform, and unknown to this version", { implementation: { kind: "builtin", function: "was_once" } }],
  ])("is no tool where it is %s", async (_what, operation) => {
    expect(await setUp({ tells: [], operation }).call()).toBeUndefined();
  });

  it("is no tool where there is none, and an error where the registry is away", async () => {
    const missing = new SwitchyardError("operation_not_found", "Cannot find it");
    expect(await setUp({ tells: [], resolves: missing }).call()).toBeUndefined();
    const away = new SwitchyardError("registry_unavailable", "Cannot read the registry");
    await expect(setUp({ tells: [], resolves: away }).call()).rejects.toMatchObject({ code: "registry_unavailable" });
  });

  it("names the places of a wrong input as the agent wrote them", async () => {
    const result = await setUp({ tells: [] }).call({ arguments: { input: "x" } });
    expect(codeOf(result)).toBe("input_invalid");
    expect(result?.content).toMatchObject([{ text: expect.stringContaining("/input: must be number") }]);
    expect(codeOf(await setUp({ tells: [] }).call({ arguments: { input: 1, more: 2 } }))).toBe("input_invalid");
  });
});

import { describe, expect, it } from "vitest";
import { callOf, TRACE, TRACESTATE } from "../../../test/contracts/adapter/call-of.ts";
import { describeAdapter } from "../../../test/contracts/adapter/in-process.ts";
import type { Executor, InvocationResult, IsolateDefinition } from "../../model/invocation.ts";
import type { IsolateSource } from "../adapter.ts";
import { inlineAdapter } from "./inline.ts";

const own = { kind: "module", sha256: "a".repeat(64), export: "handler", language: "javascript" } as const;
const definition: IsolateDefinition = {
  code: "export const handler = 1",
  language: "javascript",
  export: "handler",
  network: [],
  secrets: {},
};
const source: IsolateSource = { isolateId: () => "the-id", loadIsolate: async () => definition };

describeAdapter("inline", {
  adapter: (implemented) =>
    inlineAdapter(
      {
        run: async (_isolate, input) => ({
          ok: true,
          output: JSON.stringify(await implemented(JSON.parse(input))),
          logs: [],
        }),
      },
      source,
    ),
  own,
  foreign: { kind: "builtin", function: "list_type" },
});

function answering(result: InvocationResult): Executor & { asked: Parameters<Executor["run"]>[] } {
  const asked: Parameters<Executor["run"]>[] = [];
  return {
    asked,
    async run(...all) {
      asked.push(all);
      return result;
    },
  };
}

describe("inlineAdapter()", () => {
  it("hands the executor the trace as it came", async () => {
    const executor = answering({ ok: true, output: "1", logs: [] });
    await inlineAdapter(executor, source).invoke(callOf(own));
    expect(executor.asked[0]?.[2]).toMatchObject({ traceparent: TRACE, tracestate: TRACESTATE });
  });

  it("hands the executor the isolate's id, the operation for blame, and what loads the code", async () => {
    const call = callOf(own, { n: 1 });
    const executor = answering({ ok: true, output: "1", logs: [] });
    await inlineAdapter(executor, source).invoke(call);
    const [isolate, input, meta] = executor.asked[0] ?? [];
    expect([isolate, input, meta]).toMatchObject([{ id: "the-id", operation: "tested" }, '{"n":1}', call.meta]);
    expect(await isolate?.load()).toBe(definition);
  });

  it("passes on what the executor says, retry advice and logs included", async () => {
    const result: InvocationResult = {
      ok: false,
      error: { code: "implementation_failed", detail: "no" },
      retry: { kind: "after", after_ms: 5 },
      logs: [{ level: "info", message: "hello", at_ms: 0 }],
    };
    expect(await inlineAdapter(answering(result), source).invoke(callOf(own))).toEqual(result);
  });

  it("answers with the code when the isolate's id cannot be made", async () => {
    const executor = answering({ ok: true, output: "1", logs: [] });
    const broken = { ...source, isolateId: () => Promise.reject(new Error("no database")) };
    expect(await inlineAdapter(executor, broken).invoke(callOf(own))).toMatchObject({ error: { code: "internal" } });
    expect(executor.asked).toEqual([]);
  });
});

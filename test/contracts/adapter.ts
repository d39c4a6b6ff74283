/**
 * What every Adapter (src/adapters/adapter.ts) keeps true: whatever becomes of the implementation is an outcome, in the
 * one form that dispatch knows. Run by the test beside each adapter.
 */
import { DEFAULT_RETRY } from "../../src/model/entities.ts";
import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Adapter, AdapterCall } from "../../src/adapters/adapter.ts";
import type { CompiledType, Implementation, ResolvedOperation } from "../../src/model/resolved.ts";

/** What the implementation under the adapter comes to. It gets the input as a value. */
export type Implemented = (input: unknown) => Promise<unknown>;

export type AdapterSetUp = {
  adapter: (implemented: Implemented) => Adapter;
  /** One that it runs, and one that is another adapter's. */
  own: Implementation;
  foreign: Implementation;
};

const anything: CompiledType = { schema: true, any: true, check: (value) => ({ ok: true, value, changed: false }) };

export function callOf(implementation: Implementation, input: unknown = {}): AdapterCall {
  const operation: ResolvedOperation = {
    name: "tested",
    revision: 2,
    digest: "d",
    group: "demo",
    secretsGroup: "demo",
    active: true,
    timeoutMs: 1_000,
    attemptTimeoutMs: 60_000,
    isAsync: false,
    batch: false,
    retry: DEFAULT_RETRY,
    concurrency: null,
    record: "all",
    retentionMs: 60_000,
    implementation,
    input: anything,
    output: anything,
    environments: ["inline"],
    requires: {},
    network: [],
    secrets: [],
  };
  return {
    operation,
    input: JSON.stringify(input),
    inputValue: input,
    environment: {
      name: "here",
      description: "",
      active: true,
      adapter: "inline",
      config: {},
      secrets: {},
      capabilities: {},
      digest: "e",
      openSecrets: async () => ({}),
    },
    isLast: true,
    depth: 0,
    principal: { id: "p", name: "tester", scopes: ["ops:invoke"] },
    meta: {
      execution_id: "ex_00_1",
      attempt: 1,
      operation: operation.name,
      revision: operation.revision,
      caller: { type: "token", id: "p" },
      traceparent: "00-1-2-01",
      timeout_ms: operation.timeoutMs,
      capability: "c",
    },
  };
}

export function describeAdapter(name: string, setUp: AdapterSetUp): void {
  const invoke = (implemented: Implemented, input?: unknown) =>
    setUp.adapter(implemented).invoke(callOf(setUp.own, input));

  describe(`the adapter ${name}`, () => {
    it("has the name that environments call it by", () => {
      expect(setUp.adapter(async () => 1).name).toBe(name);
    });

    it.each([
      ["null", null],
      ["a bare value", "text"],
      ["an object", { a: [1, { b: true }] }],
    ])("invoke() answers %s as JSON text, with a log", async (_what, value) => {
      expect(await invoke(async () => value)).toEqual({ ok: true, output: JSON.stringify(value), logs: [] });
    });

    it("invoke() hands the input on as it is", async () => {
      const input = { n: 1, text: "ä\n" };
      expect(await invoke(async (given) => given, input)).toMatchObject({ output: JSON.stringify(input) });
    });

    it("invoke() answers a failure with all it says: code, detail, hint, places", async () => {
      const errors = [{ pointer: "/a", keyword: "type", detail: "must be a number" }];
      const fail = () => Promise.reject(new SwitchyardError("input_invalid", "Cannot", { hint: "Mend it", errors }));
      expect(await invoke(fail)).toEqual({
        ok: false,
        error: { code: "input_invalid", detail: "Cannot", hint: "Mend it", errors },
        // The next try would meet the same input.
        retry: { kind: "never" },
        logs: [],
      });
    });

    it.each([
      ["an error of someone else's", new TypeError("x is not a function"), "x is not a function"],
      ["a string", "gone", "gone"],
      ["undefined", undefined, "undefined"],
    ])("invoke() answers internal for %s", async (_what, thrown, part) => {
      const outcome = await invoke(async () => {
        throw thrown;
      });
      expect(outcome).toMatchObject({
        ok: false,
        error: { code: "internal", detail: expect.stringContaining(part) },
        retry: { kind: "may" },
        logs: [],
      });
    });

    it("invoke() answers no_environment for an implementation that it does not know, and runs nothing", async () => {
      let runs = 0;
      const adapter = setUp.adapter(async () => ++runs);
      expect(await adapter.invoke(callOf(setUp.foreign))).toMatchObject({
        ok: false,
        error: { code: "no_environment", detail: expect.stringContaining('"tested"') },
        logs: [],
      });
      expect(runs).toBe(0);
    });
  });
}

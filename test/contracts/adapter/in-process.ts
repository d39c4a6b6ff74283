/**
 * What the two adapters keep true that run in the platform's own process: whatever becomes of the implementation is an
 * outcome, in the one form that dispatch knows. Those of other places pass contract.ts.
 */
import { describe, expect, it } from "vitest";
import { callOf } from "./call-of.ts";
import { SwitchyardError } from "../../../src/core/errors.ts";
import type { Adapter } from "../../../src/adapters/adapter.ts";
import type { Implementation } from "../../../src/model/resolved.ts";

/** What the implementation under the adapter comes to. It gets the input as a value. */
export type Implemented = (input: unknown) => Promise<unknown>;

export type AdapterSetUp = {
  adapter: (implemented: Implemented) => Adapter;
  /** One that it runs, and one that is another adapter's. */
  own: Implementation;
  foreign: Implementation;
};

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

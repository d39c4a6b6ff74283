import { describe, expect, test } from "vitest";
import type { Outcome } from "../../model/outcome.ts";
import { SUBSCRIPTION_FUNCTIONS } from "./subscription-functions.ts";

const run = (outcome: Outcome | undefined, input: unknown = { name: "tell" }) => {
  const [test_subscription] = SUBSCRIPTION_FUNCTIONS;
  const ports = { subscriptions: { test: async (name: string) => ({ executionId: `ex_${name}`, outcome }) } };
  return test_subscription!.run("test_subscription", { input, ports } as never);
};

describe("test_subscription", () => {
  test("answers what the delivery came to", async () => {
    expect(await run({ ok: true, output: '{"status":204,"duration_ms":3}', logs: [] })).toEqual({
      execution_id: "ex_tell",
      delivered: true,
      output: { status: 204, duration_ms: 3 },
      error: null,
    });
    const error = { code: "delivery_refused", detail: "no" } as const;
    expect(await run({ ok: false, error, retry: { kind: "may" }, logs: [] })).toEqual({
      execution_id: "ex_tell",
      delivered: false,
      output: null,
      error,
    });
    expect(await run(undefined)).toEqual({ execution_id: "ex_tell", delivered: false, output: null, error: null });
  });

  test("refuses another input", async () => {
    await expect(run(undefined, { name: "tell", event: {} })).rejects.toMatchObject({ code: "input_invalid" });
  });
});

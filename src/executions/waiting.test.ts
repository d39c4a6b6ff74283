import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ExecutionView } from "../model/execution.ts";
import { Waiting } from "./waiting.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("whoever waits gives up after its time, and not much later where the clock is put back meanwhile", async () => {
  let asked = 0;
  const ask = async (ms: number) => {
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, ms));
    return { status: "running" } as ExecutionView;
  };
  let seen: unknown = "open";
  void new Waiting().wait("ex_1", 60_000, ask).then((answer) => (seen = answer));
  await vi.advanceTimersByTimeAsync(1_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  await vi.advanceTimersByTimeAsync(58_000);
  expect(seen).toBe("open");
  await vi.advanceTimersByTimeAsync(32_000);
  expect(seen).toBeUndefined();
  expect(asked).toBeLessThan(10);
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAsk } from "./_asking.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LEAF = { operation: "may", input: {} };

test("an operation that does not answer holds nobody up, and is heard when it does", async () => {
  const answers: ((text: string) => void)[] = [];
  const late = vi.fn();
  const operation = () => new Promise<string>((resolve) => answers.push(resolve));
  const ask = createAsk({ name: () => "albums", facts: () => ({ now: 0 }), operation, late });
  const first = ask(LEAF);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await first).toBeUndefined();
  expect(await ask(LEAF)).toBeUndefined();
  expect(answers).toHaveLength(1);
  expect(late).not.toHaveBeenCalled();
  answers[0]?.('{"holds":true}');
  await vi.advanceTimersByTimeAsync(0);
  expect(late).toHaveBeenCalledTimes(1);
  expect(await ask(LEAF)).toBe(true);
  expect(answers).toHaveLength(1);
});

test("an answer in time is waited for, and holds for a while", async () => {
  const operation = vi.fn(async () => '{"holds":true}');
  const late = vi.fn();
  const ask = createAsk({ name: () => "albums", facts: () => ({ now: 0 }), operation, late });
  expect([await ask(LEAF), await ask(LEAF)]).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(await ask(LEAF)).toBe(true);
  expect(operation).toHaveBeenCalledTimes(2);
  expect(late).not.toHaveBeenCalled();
});

import { expect, test } from "vitest";
import { follow } from "./follow.ts";

test("whoever follows is answered after its time, also where the clock is put back meanwhile", async () => {
  let now = 0;
  let passedMs = 0;
  const watch = async (_id: string, { waitMs }: { waitMs: number }) => {
    now += waitMs;
    passedMs += waitMs;
    if (passedMs === 20_000) now -= 3_600_000;
    if (passedMs > 120_000) throw new Error("it goes on and on");
    return { version: 1, view: { status: "running", attempt: 1, error: null }, logs: [] };
  };
  const ports = { dispatch: { now: () => now }, executions: { watch }, background: () => undefined };
  const options = { abandon: false, again: false, progress: undefined, log: undefined, wrapped: undefined };
  const { signal } = new AbortController();
  const answer = await follow("ex_1", { ...options, signal }, ports as unknown as Parameters<typeof follow>[2]);
  expect(answer.isError).toBe(true);
  expect(passedMs).toBe(70_000);
});

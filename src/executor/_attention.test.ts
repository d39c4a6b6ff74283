import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Attention } from "./_attention.node.ts";
import { StartJournal } from "./_journal.node.ts";

const LOOK_MS = 25;
const limits = { calmAfterMs: 5_000, calmLookMs: 1_000 };

let folder: string;
let file: string;
let journal: StartJournal;
let attention: Attention;
let looks: { isDue: boolean }[];
/** What the process does with a ping. */
let answers: () => void;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  folder = mkdtempSync(path.join(os.tmpdir(), "attention-"));
  file = path.join(folder, "journal");
  journal = new StartJournal(file);
  looks = [];
  answers = () => attention.answered({ isBusy: false });
  attention = new Attention({
    ...limits,
    lookMs: LOOK_MS,
    look: (look) => {
      looks.push(look);
      // As from a process: not within the look itself.
      queueMicrotask(() => answers());
      return { awaits: true };
    },
  });
  attention.begin(journal);
});
afterEach(() => {
  attention.end();
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

async function looksWithin(ms: number): Promise<number> {
  looks.length = 0;
  await vi.advanceTimersByTimeAsync(ms);
  return looks.length;
}

it("looks every few milliseconds, and once a second after a time without work", async () => {
  expect(await looksWithin(1_000)).toBe(40);
  await vi.advanceTimersByTimeAsync(limits.calmAfterMs);
  expect(attention.isCalm).toBe(true);
  expect(await looksWithin(10_000)).toBe(10);
  expect(looks.every(({ isDue }) => isDue)).toBe(true);
});

it("looks closely for as long as there is work", async () => {
  answers = () => attention.answered({ isBusy: true });
  await vi.advanceTimersByTimeAsync(2 * limits.calmAfterMs);
  expect(attention.isCalm).toBe(false);
  // Calls that come and go between two looks leave their trace in the journal.
  answers = () => {
    appendFileSync(file, "ex_1\n");
    attention.answered({ isBusy: false });
  };
  await vi.advanceTimersByTimeAsync(2 * limits.calmAfterMs);
  expect(attention.isCalm).toBe(false);
});

it("looks closely while a ping at rest is not answered", async () => {
  await vi.advanceTimersByTimeAsync(2 * limits.calmAfterMs);
  expect(attention.isCalm).toBe(true);
  answers = () => {};
  await vi.advanceTimersByTimeAsync(limits.calmLookMs);
  expect(await looksWithin(300)).toBe(12);
});

it("looks at once when the journal grows at rest", async () => {
  await vi.advanceTimersByTimeAsync(2 * limits.calmAfterMs);
  expect(await looksWithin(limits.calmLookMs / 2)).toBeLessThan(2);
  appendFileSync(file, "ex_1\n");
  looks.length = 0;
  while (attention.isCalm) await new Promise((resolve) => setImmediate(resolve));
  await vi.advanceTimersByTimeAsync(1);
  expect(looks).toEqual([{ isDue: true }]);
  expect(await looksWithin(1_000)).toBe(40);
});

it("sees a call that starts just before the journal is watched", async () => {
  const watch = vi.spyOn(journal, "watch").mockImplementation((changed) => {
    appendFileSync(file, "ex_1\n");
    return StartJournal.prototype.watch.call(journal, changed);
  });
  await vi.advanceTimersByTimeAsync(limits.calmAfterMs + LOOK_MS);
  expect(watch).toHaveBeenCalledOnce();
  expect(attention.isCalm).toBe(false);
});

it("goes on looking closely where the machine has no watcher left", async () => {
  vi.spyOn(journal, "watch").mockImplementation(() => {
    throw new Error("ENOSPC");
  });
  await vi.advanceTimersByTimeAsync(2 * limits.calmAfterMs);
  expect(attention.isCalm).toBe(false);
  expect(await looksWithin(1_000)).toBe(40);
});

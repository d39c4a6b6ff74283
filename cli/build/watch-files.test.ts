import { renameSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { testFolder } from "./_test-folder.ts";
import { watchFiles } from "./watch-files.ts";

test("watchFiles() runs at once, after each save of a file it follows, and after no other", async () => {
  using folder = testFolder({ "a.ts": "1", "lib/b.ts": "1", "c.ts": "1" });
  const stop = new AbortController();
  const runs: number[] = [];
  const done = watchFiles(
    [folder.file("a.ts")],
    async () => {
      runs.push(runs.length);
      return [folder.file("lib/b.ts")];
    },
    stop.signal,
  );
  const reached = async (count: number): Promise<void> => {
    await vi.waitFor(() => expect(runs.length).toBe(count), { timeout: 5_000, interval: 10 });
  };
  await reached(1);
  folder.write({ "a.ts": "2" });
  await reached(2);
  // As editors save: a new file in the old one's place.
  writeFileSync(folder.file("lib/b.ts.tmp"), "2");
  renameSync(folder.file("lib/b.ts.tmp"), folder.file("lib/b.ts"));
  await reached(3);
  folder.write({ "c.ts": "2" });
  // That nothing happens shows only in time: longer than the debounce, so that the next save is not merged with it.
  await new Promise((resolve) => setTimeout(resolve, 200));
  folder.write({ "a.ts": "3" });
  await reached(4);
  stop.abort();
  await done;
  expect(runs).toHaveLength(4);
});

test("watchFiles() ends with what the task throws", async () => {
  using folder = testFolder({ "a.ts": "1" });
  await expect(watchFiles([folder.file("a.ts")], () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
});

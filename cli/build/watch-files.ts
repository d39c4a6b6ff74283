/**
 * Runs a task now and again after each change of the files that the task names. Folders are watched, not files, because
 * editors save by replacing the file. One run at a time; changes during a run lead to one more.
 */
import { watch, type FSWatcher } from "node:fs";
import path from "node:path";

const DEBOUNCE_MS = 80;

/** `task` answers the files to watch from then on, beside the `always` ones. Settles only when the task throws or `signal` aborts. */
export async function watchFiles(
  always: readonly string[],
  task: () => Promise<readonly string[]>,
  signal?: AbortSignal,
): Promise<void> {
  const watchers = new Map<string, FSWatcher>();
  let files = new Set(always);
  let wake = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onChange = (folder: string) => (_event: string, name: string | null) => {
    if (name !== null && !files.has(path.join(folder, name))) return;
    clearTimeout(timer);
    timer = setTimeout(() => wake.resolve(), DEBOUNCE_MS);
  };
  const follow = (): void => {
    const folders = new Set([...files].map((file) => path.dirname(file)));
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, onChange(folder));
      // The folder went away; the next run finds out what that means.
      watcher.on("error", () => wake.resolve());
      watchers.set(folder, watcher);
    }
  };
  signal?.addEventListener("abort", () => wake.resolve(), { once: true });
  try {
    follow();
    for (;;) {
      files = new Set([...always, ...(await task())]);
      follow();
      await wake.promise;
      if (signal?.aborted === true) return;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  }
}

import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStateFolder, type StateFolder } from "./state-folder.ts";

let root: string;
const opened: StateFolder[] = [];
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), "switchyard-state-"));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) {
    await folder.release();
    rmSync(folder.sockets, { recursive: true, force: true });
  }
  rmSync(root, { recursive: true, force: true });
});

async function open(folder: string): Promise<StateFolder> {
  const state = await openStateFolder(folder);
  opened.push(state);
  return state;
}

/** What a killed platform leaves: a socket's file behind which nobody listens. */
function leaveLock(sockets: string): void {
  mkdirSync(sockets, { recursive: true });
  const code = `require("node:net").createServer().listen(${JSON.stringify(path.join(sockets, "lock.00000000"))}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", code]);
  expect(statSync(path.join(sockets, "lock.00000000")).isSocket()).toBe(true);
}

describe("openStateFolder()", () => {
  it("refuses a folder that another holds, and takes it once it is released or its holder is killed", async () => {
    const first = await openStateFolder(root);
    await expect(openStateFolder(root)).rejects.toMatchObject({ code: "state_in_use" });
    await first.release();
    leaveLock(path.join(root, "run"));
    await open(root);
  });

  it.each([false, true])(
    "lets one of many that start at once have it (left over by a killed one: %s)",
    async (stale) => {
      if (stale) leaveLock(path.join(root, "run"));
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => open(root)));
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const result of results) {
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "state_in_use" });
      }
    },
  );

  it("keeps two folders apart whose long paths end alike", async () => {
    const long = (name: string) => path.join(root, name.repeat(60), "web-application", ".switchyard");
    const [a, b] = [await open(long("a")), await open(long("b"))];
    expect(a.sockets).not.toBe(b.sockets);
    expect(a.sockets.startsWith(root)).toBe(false);
  });

  it("keeps sockets out of a folder that somebody else has put in the way", async () => {
    const long = path.join(root, "x".repeat(120));
    const first = await openStateFolder(long);
    await first.release();
    const { sockets } = first;
    rmSync(sockets, { recursive: true });
    mkdirSync(path.join(root, "elsewhere"));
    symlinkSync(path.join(root, "elsewhere"), sockets);
    try {
      await expect(openStateFolder(long)).rejects.toThrow("must be a folder of your own");
    } finally {
      rmSync(sockets);
    }
  });

  it("leaves nothing for others to read, also in a folder that was there before", async () => {
    mkdirSync(path.join(root, "open"), { mode: 0o755 });
    const state = await open(path.join(root, "open"));
    writeFileSync(path.join(state.path, "made-later"), "");
    for (const file of ["master.key", "made-later"]) {
      expect(statSync(path.join(state.path, file)).mode & 0o077).toBe(0);
    }
  });
});

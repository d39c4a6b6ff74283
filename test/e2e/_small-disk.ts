/** A disk that a test can fill. */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { temporaryFolder } from "./_platform.ts";

const MIB = 2 ** 20;

/** A small disk of its own, which only root can make. */
export function mountSmallDisk(): string | undefined {
  const folder = temporaryFolder();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", folder]);
  if (status === 0) return folder;
  rmSync(folder, { recursive: true });
  return undefined;
}

/** Until nothing more fits. */
export function fill(file: string): void {
  for (const bytes of [MIB, 4_096]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes, 1), { flag: "a" });
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
}

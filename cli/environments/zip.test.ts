import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { zipOf } from "./zip.ts";

const FILES = { "index.mjs": "export const a = 'ü';\n".repeat(1000), "package.json": "{}", "empty.txt": "" };

const READERS = {
  unzip: ["unzip", ["-p"]],
  python3: [
    "python3",
    [
      "-c",
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; sys.stdout.buffer.write(z.read(sys.argv[2]))",
    ],
  ],
} as const;

describe("zipOf()", () => {
  it.each(Object.entries(READERS))("makes what %s reads", (_name, [program, words]) => {
    if (spawnSync(program, ["--help"]).error !== undefined) {
      console.warn(`SKIPPED: ${program} is not on this machine, so it reads no archive of ours`);
      return;
    }
    const folder = mkdtempSync(path.join(tmpdir(), "zip-test-"));
    try {
      const file = path.join(folder, "a.zip");
      writeFileSync(file, zipOf(FILES));
      if (program === "unzip") expect(spawnSync("unzip", ["-t", file]).status).toBe(0);
      for (const [name, text] of Object.entries(FILES)) {
        const read = spawnSync(program, [...words, file, name], { encoding: "utf8" });
        expect([read.status, read.stdout]).toEqual([0, text]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("makes the same bytes of the same files, others of others", () => {
    expect(zipOf(FILES)).toEqual(zipOf({ ...FILES }));
    expect(zipOf(FILES)).not.toEqual(zipOf({ ...FILES, "empty.txt": "!" }));
  });
});

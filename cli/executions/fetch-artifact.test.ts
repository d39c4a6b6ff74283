/** `opctl artifact get`: bytes to a file or a pipe, whole or not at all. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, vi } from "vitest";
import { idOf } from "../testing/fake-executions.ts";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const fake = opctlOnFake();
const ID = idOf(1);

const file = (): string => path.join(fake.folder, "out");
const paths = (): string[] => fake.platform.seen.map(({ method, path: route }) => `${method} ${route}`);

describe("opctl artifact get", () => {
  const view = {
    id: "ar_00_1",
    execution_id: ID,
    operation: "slow",
    kind: "file",
    name: "a.bin",
    content_type: "application/octet-stream",
    size_bytes: 4,
    sha256: "",
    created_at: "2026-11-22T09:00:00.000Z",
  } as const;
  const bytes = new Uint8Array([0, 255, 10, 7]);

  test("writes the bytes as they are, and leaves nothing else behind", async () => {
    fake.platform.executions.artifacts = [{ view, bytes }];
    const run = await fake.opctl("artifact", "get", "ar_00_1", "out");
    expect(run).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^out: 4 bytes, sha256 [0-9a-f]{64}\n$/),
    });
    expect([...readFileSync(file())]).toEqual([...bytes]);
    expect(readdirSync(fake.folder)).toEqual(["out"]);
  });

  test("refuses content of another SHA-256 and keeps what was there", async () => {
    fake.platform.executions.artifacts = [{ view, bytes, etag: `"${"0".repeat(64)}"` }];
    writeFileSync(file(), "mine");
    const run = await fake.opctl("artifact", "get", "ar_00_1", "out", "--force");
    expect(run).toMatchObject({ code: 6, stderr: expect.stringContaining("payload_lost") });
    expect(readFileSync(file(), "utf8")).toBe("mine");
    expect(readdirSync(fake.folder)).toEqual(["out"]);
  });

  test("replaces a file only with --force", async () => {
    fake.platform.executions.artifacts = [{ view, bytes }];
    writeFileSync(file(), "mine");
    expect(await fake.opctl("artifact", "get", "ar_00_1", "out")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--force"),
    });
    expect(fake.platform.seen).toEqual([]);
    expect(await fake.opctl("artifact", "get", "ar_00_1", "out", "--force")).toMatchObject({ code: 0 });
    expect([...readFileSync(file())]).toEqual([...bytes]);
  });

  test.each([[["-"]], [[]]])("gives the bytes to a pipe (%j)", async (words) => {
    fake.platform.executions.artifacts = [{ view, bytes: new TextEncoder().encode("no line end") }];
    expect(await fake.opctl("artifact", "get", "ar_00_1", ...words)).toEqual({
      code: 0,
      stdout: "no line end",
      stderr: "",
    });
    expect(existsSync(path.join(fake.folder, "-"))).toBe(false);
  });

  test("says which fake.folder cannot be written", async () => {
    fake.platform.executions.artifacts = [{ view, bytes }];
    const run = await fake.opctl("artifact", "get", "ar_00_1", "nowhere/out");
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('Cannot write to "nowhere/out"') });
  });

  test("lists", async () => {
    fake.platform.executions.artifacts = [{ view, bytes }];
    const run = await fake.opctl("get", "artifacts", "--execution", ID);
    expect(run.stdout).toContain("ar_00_1  file  a.bin  application/octet-stream  4");
    expect(paths()).toEqual([`GET /artifacts?execution=${ID}&limit=50`]);
  });
});

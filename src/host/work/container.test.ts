/** Real containers, by runc, on a root file system of this machine's own sh. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { anOrder } from "./_order.test-help.node.ts";
import { containerEngine } from "./container.node.ts";
import { runExternalWork } from "./run-work.node.ts";

const engine = await containerEngine();

test("containerEngine() finds a Docker that comes to answer after the first look", async () => {
  const bin = mkdtempSync(path.join(tmpdir(), "switchyard-bin-"));
  onTestFinished(() => rmSync(bin, { recursive: true, force: true }));
  writeFileSync(path.join(bin, "docker"), `#!/bin/sh\n[ -e ${bin}/answers ]\n`, { mode: 0o755 });
  vi.stubEnv("PATH", bin);
  const clock = vi.spyOn(performance, "now").mockReturnValue(1_000);
  onTestFinished(() => {
    clock.mockRestore();
    vi.unstubAllEnvs();
  });
  vi.resetModules();
  const fresh = await import("./container.node.ts");
  expect(await fresh.containerEngine()).toBeUndefined();
  writeFileSync(path.join(bin, "answers"), "");
  expect(await fresh.containerEngine()).toBeUndefined();
  clock.mockReturnValue(11_000);
  expect(await fresh.containerEngine()).toBe("docker");
});
if (engine !== "runc")
  console.warn(`SKIPPED: containers by runc: runc and root are needed; here is ${engine ?? "neither"}.`);

describe.skipIf(engine !== "runc")("runContainer() with runc", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "switchyard-container-"));
  const bundle = path.join(folder, "bundle");

  beforeAll(() => {
    for (const each of ["rootfs/bin", "rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/tmp"]) {
      mkdirSync(path.join(bundle, each), { recursive: true });
    }
    for (const program of ["/bin/sh", "/bin/cat", "/bin/sleep", "/bin/ls"]) copyIn(program);
    execFileSync("runc", ["spec", "-b", bundle]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function copyIn(program: string): void {
    const libraries = execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
    for (const file of [program, ...libraries]) {
      mkdirSync(path.dirname(path.join(bundle, "rootfs", file)), { recursive: true });
      copyFileSync(file, path.join(bundle, "rootfs", file));
    }
  }

  function run(script: string, more: { image?: string; timeoutMs?: number } = {}) {
    const work = { kind: "container" as const, image: more.image ?? bundle, command: ["/bin/sh", "-c", script] };
    return runExternalWork(work, anOrder('{"a":1}', more.timeoutMs), { log: () => {} });
  }

  test("hands on JSON, the log and who asks", async () => {
    const read = await run('x=$(cat); echo hi >&2; echo "[$x,\\"$SWITCHYARD_EXECUTION_ID\\"]"');
    expect(read).toMatchObject({ ok: true, output: '[{"a":1},"ex_1"]', logs: [{ message: "hi" }] });
  });

  test("has no network but its own loopback", async () => {
    const result = await run('n=$(ls /sys/class/net); echo "\\"$n\\""');
    expect(result).toMatchObject({ ok: true, output: '"lo"' });
  });

  test("says that a container that was killed was lost", async () => {
    expect(await run("exit 137")).toMatchObject({ ok: false, error: { code: "executor_lost" } });
  });

  test("kills it at the time-out and leaves none behind", async () => {
    const result = await run("trap '' TERM; echo 1; while :; do sleep 1; done", { timeoutMs: 700 });
    expect(result).toMatchObject({ ok: false, error: { code: "timeout" } });
    expect(execFileSync("runc", ["list", "-q"], { encoding: "utf8" })).not.toContain("switchyard-");
  }, 20_000);

  test("refuses a bundle whose files lead out of it, and one that is not there", async () => {
    const other = path.join(folder, "other");
    mkdirSync(other);
    writeFileSync(path.join(other, "config.json"), readFileSync(path.join(bundle, "config.json")));
    symlinkSync("/", path.join(other, "rootfs"));
    expect(await run("echo 1", { image: other })).toMatchObject({
      error: { code: "environment_misconfigured", detail: expect.stringContaining("leads to /") as string },
    });
    renameSync(path.join(other, "config.json"), path.join(folder, "config.json"));
    symlinkSync("../config.json", path.join(other, "config.json"));
    expect(await run("echo 1", { image: other })).toMatchObject({ error: { code: "environment_misconfigured" } });
    expect(await run("echo 1", { image: path.join(folder, "none") })).toMatchObject({
      error: { code: "environment_misconfigured" },
    });
    expect(existsSync(bundle)).toBe(true);
  });
});

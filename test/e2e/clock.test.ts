/**
 * The platform's clock is set while it works. Only the platform's: its timers, the runner and this test go by the real one, as after a
 * sleep. Needs Linux and a C compiler.
 */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDoor } from "./_pools.ts";
import { ROOT, startDev, temporaryFolder, waitUntil, type Dev } from "./_platform.ts";

const HOUR_S = 3_600;
const folder = temporaryFolder();
const file = path.join(folder, "ahead");
const library = path.join(folder, "clock.so");
const built =
  process.platform === "linux" &&
  spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, path.join(ROOT, "test/e2e/_clock.c")]).status === 0;

function putClock(aheadS: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(aheadS));
  // In place, since it is mapped.
  writeFileSync(file, bytes, { flag: "r+" });
}

describe.skipIf(!built)("a clock that is set", () => {
  let dev: Dev;
  beforeAll(async () => {
    writeFileSync(file, Buffer.alloc(8));
    dev = await startDev({ env: { LD_PRELOAD: library, CLOCK_AHEAD: file }, args: ["--executor", "inline"] });
    const made = await dev.opctl(["create", "environment", "-"], { input: '{"name":"rack-1","adapter":"runner"}' });
    expect(made.code).toBe(0);
    // The one has its time over soon after the jump, the other not while anything here takes its time.
    for (const [name, timeoutMs] of Object.entries({ later: 30_000, there: 120_000, brief: 3_000 })) {
      const words = ["--name", name, "--timeout-ms", `${timeoutMs}`];
      expect((await dev.opctl(["deploy", "examples/echo.ts#echo", ...words])).code).toBe(0);
    }
    for (const name of ["there", "brief"]) {
      expect((await dev.opctl(["edit", "operation", name, "-s", "environment=rack-1"])).code).toBe(0);
    }
  });
  afterAll(async () => {
    await dev.stop();
    rmSync(folder, { recursive: true });
  });

  const statusOf = async (id: string) =>
    ((await (await dev.request(`/executions/${id}`)).json()) as { status: string }).status;
  const later = async (delay: string) => {
    const { stdout } = await dev.opctl(["call", "later", "input_str=hi", "--async", "--delay", delay]);
    return /ex_[0-9a-z_]+/.exec(stdout)?.[0] ?? "";
  };
  const succeeds = (id: string, withinMs: number) =>
    waitUntil(async () => (await statusOf(id)) === "succeeded", withinMs, dev.output);

  test("forward: what is due starts, a schedule makes up for what it missed, a runner keeps its work", async () => {
    const fields = ["name=hourly", "operation=later", "every_ms=3600000", 'input={"input_str":"good"}'];
    expect((await dev.opctl(["create", "schedule", ...fields.flatMap((field) => ["-s", field])])).code).toBe(0);
    const token = (await dev.opctl(["token", "create", "rack", "--scope", "runner:rack-1"])).stdout.trim();
    const begun = Promise.withResolvers<void>();
    let orders = 0;
    const held = Promise.withResolvers<string>();
    const host = {
      run: () => {
        if (++orders === 2) begun.resolve();
        return held.promise;
      },
    };
    const id = await later("50m");
    const { door } = openDoor(dev.url, host, { environment: "rack-1", token });
    const call = dev.call("there", { input_str: "hi" });
    const brief = dev.call("brief", { input_str: "hi" });
    await begun.promise;
    putClock(HOUR_S);
    // Neither is lost: the one ends when its time is over, the other goes on.
    expect(await brief).toMatchObject({ status: 504 });
    await succeeds(id, 20_000);
    await waitUntil(async () => (await dev.opctl(["schedule", "history", "hourly"])).stdout.includes("fired"), 20_000);
    held.resolve('{"ok":true,"logs":[]}\n{"output_str":"from there"}');
    expect(await call).toMatchObject({ status: 200, body: { output_str: "from there" } });
    door.close();
  });

  test("back: what waits does so no longer for it", async () => {
    const id = await later("8s");
    putClock(0);
    await succeeds(id, 30_000);
  });
});

/** A Python function from a file to a runner: types from its hints, the same answers as its twin in TypeScript. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT, startDev, waitUntil, type Dev } from "./_platform.ts";

const isInstalled = spawnSync("python3", ["--version"]).status === 0;
if (!isInstalled) {
  if (process.env["CI"] !== undefined) throw new Error("python3 must be installed: Python handlers are not tested");
  console.warn("SKIPPED: python3 is not installed, so Python handlers are not tested");
}

describe.skipIf(!isInstalled)("a Python handler", () => {
  let dev: Dev;
  const runners: ChildProcess[] = [];

  const startRunner = async (environment: string, ...allow: string[]): Promise<void> => {
    const words = ["runner", "start", "--environment", environment, ...allow.flatMap((word) => ["--allow", word])];
    const child = spawn(process.execPath, [path.join(ROOT, "cli/opctl.js"), ...words], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token },
    });
    runners.push(child);
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await waitUntil(
      () => said.includes("connected"),
      20_000,
      () => said,
    );
  };
  const opctl = async (...words: string[]): Promise<string> => {
    const ran = await dev.opctl(words);
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    return ran.stdout.trim();
  };

  beforeAll(async () => {
    dev = await startDev();
    for (const name of ["rack-1", "no-python"]) {
      await opctl("create", "environment", "-s", `name=${name}`, "-s", "adapter=runner");
    }
    await startRunner("rack-1", "module", "python");
    await startRunner("no-python", "module");
  });
  afterAll(async () => {
    for (const child of runners) {
      if (child.exitCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    await dev.stop();
  });

  it("is deployed with the types of its hints, and answers as its twin in TypeScript does", async () => {
    await opctl("deploy", "examples/word-count.ts", "--name", "word_count_ts", "--module", "word_count_ts");
    await opctl("deploy", "examples/word_count.py#word_count", "--environment", "rack-1");
    const input = { text: "the cat and the hat" };
    const python = await dev.call("word_count", input);
    expect(python).toMatchObject({ status: 200 });
    expect(python.body).toEqual((await dev.call("word_count_ts", input)).body);
  });

  it("refuses an input that its hints do not allow, before it is called", async () => {
    expect(await dev.call("word_count", { text: 5 })).toMatchObject({ status: 422, body: { code: "input_invalid" } });
  });

  it("runs on no runner that does not allow Python", async () => {
    await opctl("edit", "operation", "word_count", "-s", "environment=no-python", "-s", "timeout_ms=1000");
    const { status, body } = await dev.call("word_count", { text: "a" });
    expect({ status, body }).toMatchObject({ status: 503, body: { code: "environment_unavailable" } });
    expect((body as { detail: string }).detail).toContain("python");
  });

  it("cannot be sent where no Python is", async () => {
    const ran = await dev.opctl(["edit", "operation", "word_count", "-s", "environment=inline"]);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain("setting_unsupported");
  });
});

/** examples/albums/README.md, run as it is written: one API in three languages, cold, hot and cold again, on a real runner. */
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hasLines, stepsOf, type Command } from "./_markdown.ts";
import { ROOT, run, startDev, temporaryFolder, type Dev } from "./_platform.ts";
import { startRunner, type Runner } from "./_services.ts";

const FOLDER = path.join(ROOT, "examples/albums");
const hasCompiler = spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0;
if (!hasCompiler) {
  if (process.env["CI"] !== undefined) throw new Error("cc must be there in CI; apt-get install gcc");
  console.warn("SKIPPED: there is no cc on this machine, so examples/albums is not switched to C");
}

let dev: Dev;
let runner: Runner;
let bin: string;

beforeAll(async () => {
  bin = temporaryFolder();
  const opctl = `#!/bin/sh\nexec '${process.execPath}' '${path.join(ROOT, "cli/opctl.js")}' "$@"\n`;
  writeFileSync(path.join(bin, "opctl"), opctl);
  chmodSync(path.join(bin, "opctl"), 0o755);
  dev = await startDev();
}, 120_000);
afterAll(async () => {
  await runner?.end();
  await dev?.stop();
  rmSync(bin, { recursive: true, force: true });
  rmSync(path.join(FOLDER, "albums"), { force: true });
}, 60_000);

it("README.md runs as it is written", { timeout: 240_000 }, async () => {
  const commands = stepsOf(readFileSync(path.join(FOLDER, "README.md"), "utf8")).filter(
    (step) => step.kind === "command",
  );
  expect(commands.length).toBeGreaterThan(10);
  const compiled = commands.findIndex(({ text }) => text.startsWith("cc "));
  for (const command of hasCompiler ? commands : commands.slice(0, compiled)) {
    // Its environment is there only once the first of them has run.
    if (runner === undefined && command.text.startsWith("opctl call")) {
      runner = await startRunner(dev, "rack-1-a", ["--allow", "process:./examples/albums/*"]);
    }
    await expectRun(command);
  }
});

async function expectRun({ text, line, expected, refused }: Command): Promise<void> {
  const { code, stdout, stderr } = await run("bash", ["-c", text], {
    cwd: ROOT,
    env: {
      PATH: `${bin}:${process.env["PATH"] ?? ""}`,
      SWITCHYARD_URL: dev.url,
      SWITCHYARD_TOKEN: dev.token,
    },
    timeoutMs: 60_000,
  });
  const said = `README.md:${line}: ${text}\n${stdout}${stderr}`;
  expect(code === 0, said).toBe(refused === undefined);
  if (refused !== undefined) expect(stderr, said).toContain(refused);
  expect(hasLines(stdout, expected) || hasLines(stderr, expected), said).toBe(true);
}

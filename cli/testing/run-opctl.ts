/** Runs the real opctl as a child, the way a shell does. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export type Run = { code: number | null; stdout: string; stderr: string };

const OPCTL = fileURLToPath(new URL("../opctl.js", import.meta.url));

export async function runOpctl(
  words: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<Run> {
  const child = spawn(process.execPath, [OPCTL, ...words], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const run: Run = { code: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (run.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (run.stderr += text));
  child.stdin.on("error", () => undefined); // A command that reads no stdin may be gone already.
  child.stdin.end(options.input ?? "");
  run.code = await new Promise((resolve) => child.on("close", resolve));
  return run;
}

/** What a person waits for: opctl from the shell, without npx. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { median, opctl, percentile, startPlatform } from "./_harness.ts";

const exec = promisify(execFile);
const OPCTL = path.resolve(import.meta.dirname, "../cli/opctl.js");
const RUNS = 21;

export async function cli(): Promise<void> {
  const platform = await startPlatform("process");
  try {
    await opctl(platform, "deploy", "examples/echo.ts#echo");
    const env = {
      ...process.env,
      SWITCHYARD_URL: `http://127.0.0.1:${platform.port}`,
      SWITCHYARD_TOKEN: platform.token,
    };
    console.log(`\nopctl, wall time of ${RUNS} runs\n| | p50 ms | p99 ms |\n|---|---|---|`);
    for (const args of [["--version"], ["call", "echo", "input_str=hi"]]) {
      const times: number[] = [];
      for (let run = -2; run < RUNS; run++) {
        const startedAt = performance.now();
        await exec(process.execPath, [OPCTL, ...args], { env });
        if (run >= 0) times.push(performance.now() - startedAt);
      }
      console.log(`| opctl ${args.join(" ")} | ${median(times).toFixed(0)} | ${percentile(times, 0.99).toFixed(0)} |`);
    }
  } finally {
    await platform.stop();
  }
}

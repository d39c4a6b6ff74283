/** The first call of an operation whose module is stored but loaded nowhere: a new isolate each time. */
import { median, opctl, percentile, request, startPlatform } from "./_harness.ts";

const OPERATIONS = 200;

export async function cold(): Promise<void> {
  for (const executor of ["inline", "process"] as const) {
    const platform = await startPlatform(executor);
    try {
      await opctl(platform, "deploy", "examples/echo.ts#echo");
      for (let index = 0; index < OPERATIONS; index++)
        await request(platform, "/registry/operations/echo/duplicate", { name: `cold_${index}` });
      const times: number[] = [];
      for (let index = 0; index < OPERATIONS; index++) {
        const startedAt = performance.now();
        const response = await request(platform, `/ops/cold_${index}`, { input_str: "hi" });
        if ((await response.text()) !== '{"output_str":"hi"}')
          throw new Error(`cold_${index} answered ${response.status}`);
        times.push(performance.now() - startedAt);
      }
      console.log(
        `\nfirst call of ${OPERATIONS} operations, ${executor}: p50 ${median(times).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
      );
    } finally {
      await platform.stop();
    }
  }
}

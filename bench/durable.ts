/**
 * Durable asynchronous executions, in numbers and against the musts they have to hold; `npm run bench -- durable`, or a
 * part of it: `durable-calls`, `durable-million`, `durable-idle`.
 *
 *     durable-calls     accepted and answered, completed per second, accepted only; beside Restate in the same run
 *     durable-million   the same platform with 1,000,000 finished executions stored, beside an empty one
 *     durable-idle      processor time with 10,000 delayed executions
 *
 * Restate is installed apart, for measuring only: `npm ci --prefix bench/peers`. What is missing is said by name.
 */
import { measureCalls } from "./durable/calls.ts";
import { measureIdle } from "./durable/idle.ts";
import { measureMillion } from "./durable/million.ts";
import { printMusts, type Measured } from "./musts.ts";
import { HOW_TO_INSTALL, PARTITIONS, restateInstalled, startRestate } from "./durable/restate.ts";

export async function durable(): Promise<void> {
  printMusts([...(await calls()), ...(await measureMillion()), ...(await measureIdle())]);
}

export const DURABLE_PARTS = {
  "durable-calls": async () => printMusts(await calls()),
  "durable-million": async () => printMusts(await measureMillion()),
  "durable-idle": async () => printMusts(await measureIdle()),
};

/** What `durable` cannot measure here, and how to change that; undefined when it can measure all. */
export function missingPeers(): string | undefined {
  if (restateInstalled()) return undefined;
  return `Restate (@restatedev/restate-server) is not installed: npm's registry has it, \`${HOW_TO_INSTALL}\` installs it`;
}

async function calls(): Promise<Measured[]> {
  const missing = missingPeers();
  if (missing !== undefined) {
    console.log(`\nNOT MEASURED: Restate. ${missing}`);
    return measureCalls(undefined);
  }
  const restate = await startRestate();
  try {
    console.log(`\nRestate ${restate.version}, ${PARTITIONS} partitions, fsync as it comes: ${restate.fsync}`);
    return await measureCalls(restate);
  } finally {
    await restate.stop();
  }
}

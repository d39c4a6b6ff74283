/**
 * `npm run soak`: kills a platform at random under load, and after every write of a script, and checks what it remembers.
 *
 *     --kills N     at random, under load (500)      --seed N   repeats the choices of an earlier run
 *     --writes N    after the first N writes of the script (all of them; 0: none)      --gap MS   longest pause between kills
 *     --callers N   at the same time (5); the edge also stands still now and then, for longer than a lease
 *     --restarts N  of the edge under one long attempt, and nothing else
 */
import { parseArgs } from "node:util";
import { explain, soak, type SoakOptions } from "./_soak.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "500" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    gap: { type: "string", default: "1500" },
    callers: { type: "string", default: "5" },
    writes: { type: "string", default: "1000000" },
    restarts: { type: "string" },
  },
});
// So that what it started ends with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const say = (line: string): void => console.log(line);
const [kills, seed, gapMs, callers] = [values.kills, values.seed, values.gap, values.callers].map(Number) as [
  number,
  number,
  number,
  number,
];
const writes = Number(values.writes);
say(`seed ${seed}: the same seed makes the same calls and kills, though never at quite the same moments`);
const base: SoakOptions = { endWithinMs: 120_000, say };
const result = await soak(
  values.restarts === undefined
    ? {
        ...base,
        ...(kills === 0 ? {} : { random: { kills, seed, gapMs, callers, freezes: true } }),
        ...(writes === 0 ? {} : { writes: { step: 1, rounds: writes } }),
      }
    : { ...base, restarts: { restarts: Number(values.restarts), attemptMs: 5_000 } },
);
for (const line of [...result.summary, ...explain(result)]) say(line);
say(result.violations.length === 0 ? "everything held" : `${result.violations.length} violations, seed ${seed}`);
process.exitCode = result.violations.length === 0 ? 0 : 1;

/** `npm run bench [-- calls|scale|cold|cli]`: every number the README names, measured here and now. */
import { calls } from "./calls.ts";
import { cli } from "./cli.ts";
import { cold } from "./cold.ts";
import { machine } from "./_harness.ts";
import { scale } from "./scale.ts";

const BENCHMARKS = { calls, scale, cold, cli };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown.length > 0) {
  console.error(`Cannot run the benchmark "${unknown.join(", ")}": there are ${Object.keys(BENCHMARKS).join(", ")}`);
  process.exitCode = 2;
} else {
  console.log(machine());
  for (const [name, benchmark] of Object.entries(BENCHMARKS))
    if (wanted.length === 0 || wanted.includes(name)) await benchmark();
}

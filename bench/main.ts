/** `npm run bench [-- calls|scale|cold|cli|durable|adapters|planner|services|triggers]`: every number the README names, measured here and now. */
import { ADAPTER_PARTS, adapters } from "./adapters.ts";
import { calls } from "./calls.ts";
import { cli } from "./cli.ts";
import { cold } from "./cold.ts";
import { durable, DURABLE_PARTS, missingPeers } from "./durable.ts";
import { machine } from "./_harness.ts";
import { planner } from "./planner.ts";
import { scale } from "./scale.ts";
import { services } from "./services.ts";
import { TRIGGER_PARTS, triggers } from "./triggers.ts";

const BENCHMARKS = { calls, scale, cold, cli, durable, adapters, planner, services, triggers };
/** Run only when they are named. */
const PARTS: Record<string, () => Promise<void>> = {
  ...DURABLE_PARTS,
  ...ADAPTER_PARTS,
  ...TRIGGER_PARTS,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(BENCHMARKS, name) && !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  const names = [...Object.keys(BENCHMARKS), ...Object.keys(PARTS)];
  console.error(`Cannot run the benchmark "${unknown.join(", ")}": there are ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  console.log(machine());
  for (const [name, benchmark] of Object.entries({ ...BENCHMARKS, ...PARTS })) {
    const missing = name === "durable" ? missingPeers() : undefined;
    if (wanted.includes(name)) await benchmark();
    else if (wanted.length === 0 && Object.hasOwn(BENCHMARKS, name)) {
      if (missing === undefined) await benchmark();
      else console.log(`\nSKIPPED: durable. ${missing}; without it, \`npm run bench -- durable\` measures the rest`);
    }
  }
}

/**
 * The layer rule: a folder of src/ imports only folders with a lower number, never a sibling; type imports count.
 * ARCHITECTURE.md walks the same table. Exits 1 and names each import that breaks it.
 */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";

export const LAYERS: Record<string, number> = {
  core: 0,
  model: 1,
  expressions: 1,
  objects: 2,
  types: 2,
  telemetry: 2,
  planner: 2,
  machines: 2,
  registry: 3,
  adapters: 3,
  dispatch: 4,
  executions: 5,
  limits: 5,
  runners: 5,
  metrics: 5,
  triggers: 5,
  agents: 5,
  services: 5,
  edge: 6,
  executor: 6,
  host: 7,
  "bindings.ts": 7,
  "wire.ts": 8,
  "worker.ts": 9,
  "executor-process.ts": 7,
};

const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+["'](\.[^"']+)["']|import\(\s*["'](\.[^"']+)["']\s*\)/g;

/** Each import of `source` (at `file`, relative to src/) that breaks the rule, as a sentence. */
export function violations(file: string, source: string): string[] {
  const found: string[] = [];
  const from = file.split("/")[0] ?? "";
  if (LAYERS[from] === undefined)
    return [`src/${file}: "${from}" is not in the layer table of scripts/check-layers.ts`];
  for (const match of source.matchAll(IMPORT)) {
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), match[1] ?? match[2] ?? ""));
    if (target.startsWith("..")) {
      // The one file that an installation names its plugins in.
      if (target === "../switchyard.adapters.js") continue;
      if (!/\.test\.ts$|\.node\.ts$/.test(file)) found.push(`src/${file} imports ${target}, outside src/`);
      continue;
    }
    const to = target.split("/")[0] ?? "";
    if (to === from) continue;
    if ((LAYERS[to] ?? Number.POSITIVE_INFINITY) >= LAYERS[from]) {
      found.push(`src/${file} (layer ${LAYERS[from]}) imports src/${target} (layer ${LAYERS[to]})`);
    }
  }
  return found;
}

if (import.meta.main) {
  const all = globSync("**/*.ts", { cwd: "src" }).flatMap((file) =>
    violations(file.replaceAll(path.sep, "/"), readFileSync(path.join("src", file), "utf8")),
  );
  for (const sentence of all) console.error(sentence);
  process.exitCode = all.length > 0 ? 1 : 0;
}

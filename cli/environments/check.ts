/** What the platform finds when it looks at environments, and how people are shown it. */
import type { EnvironmentCheck } from "../../src/adapters/adapter.ts";
import { parseAnswer, type Client } from "../client.ts";
import { listEntries } from "../registry.ts";
import { renderTable } from "../render/table.ts";

export type Checked = EnvironmentCheck & { name: string; adapter: string; active: boolean };

/** Of one environment, or of all in the order of the registry. They are looked at side by side. */
export async function checkEnvironments(client: Client, name: string | undefined): Promise<Checked[]> {
  const names = name === undefined ? [] : [name];
  if (name === undefined) for await (const entry of listEntries(client, "environment")) names.push(entry.name);
  return Promise.all(names.map((each) => checkOne(client, each)));
}

async function checkOne(client: Client, name: string): Promise<Checked> {
  return parseAnswer(await client.request("POST", `/environments/${encodeURIComponent(name)}/check`)) as Checked;
}

export function isFine({ reachable, allowed, missing }: Checked): boolean {
  return reachable && allowed !== false && missing.length === 0;
}

/** A row for each, then what each lacks; with `facts`, also what else was found. */
export function renderChecks(checks: readonly Checked[], { facts }: { facts: boolean }): string {
  const rows = checks.map(({ name, adapter, reachable, allowed, latency_ms: latency }) => [
    name,
    adapter,
    yesOrNo(reachable),
    yesOrNo(allowed),
    latency === null ? null : `${Math.round(latency)} ms`,
  ]);
  const lines = [renderTable(["name", "adapter", "reachable", "allowed", "latency"], rows)];
  for (const check of checks) {
    for (const sentence of check.missing) lines.push(`${check.name}: ${sentence}`);
    if (facts) for (const [word, value] of Object.entries(check.facts)) lines.push(`  ${word}: ${String(value)}`);
  }
  return lines.join("\n");
}

/** null: it cannot be told without running something. */
function yesOrNo(value: boolean | null): string {
  return value === null ? "unknown" : value ? "yes" : "no";
}

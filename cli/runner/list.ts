/** The runners of an environment as a table. */
import type { PoolStatus } from "../../src/model/runner-protocol.ts";
import type { Context } from "../command.ts";
import { renderTable } from "../render/table.ts";

export function listRunners({ output, globals }: Context, text: string): void {
  const status = JSON.parse(text) as PoolStatus;
  if (globals.json) return output.value(status);
  const rows = status.runners.map((runner) => [
    runner.name,
    runner.state,
    `${runner.in_flight}/${runner.slots}`,
    String(runner.replicas),
    runner.runs.join(" "),
    Object.entries(runner.capabilities)
      .map(([word, value]) => `${word}=${String(value)}`)
      .join(" "),
    new Date(runner.last_seen_at).toISOString(),
  ]);
  output.data(renderTable(["name", "state", "taken", "replicas", "runs", "capabilities", "seen"], rows));
  if (status.queued > 0) output.say(`${status.queued} calls wait for a runner`);
}

/** What a scheduler object must know of the rows that changed: the part of them that decides when and whether to start. */
import type { TriggerHandle } from "../../model/triggers.ts";
import type { Registry } from "../../registry/registry.ts";
import type { ChangesAnswer, ChangesOrder, ScheduleRow } from "./messages.ts";
import { shardOfSchedule } from "./shards.ts";

const CHANGES_AT_ONCE = 2_000;

export async function changesFor(
  { since, shard }: ChangesOrder,
  registry: Pick<Registry, "triggersChangedSince" | "triggersNamed">,
): Promise<ChangesAnswer> {
  const { names, upto, more } = await registry.triggersChangedSince("schedule", since, CHANGES_AT_ONCE);
  const own = names.filter((name) => shardOfSchedule(name) === shard);
  const rows = await registry.triggersNamed("schedule", own, { fresh: true });
  const there = new Set(rows.map(({ name }) => name));
  return { upto, more, rows: rows.map(toRow), gone: own.filter((name) => !there.has(name)) };
}

function toRow(row: TriggerHandle<"schedule">): ScheduleRow {
  const { name, digest, active, cron, time_zone, every_ms, overlap, catch_up, catch_up_ms, jitter_ms } = row;
  const spec = { cron, time_zone, every_ms, overlap, catch_up, catch_up_ms, jitter_ms };
  return { name, digest, active, updated_at: Date.parse(row.updated_at), spec };
}

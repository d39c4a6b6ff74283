/** `opctl schedule`: when schedules are due, and what one can do about it. Their rows are made as any other's. */
import type { Command } from "commander";
import { parseAnswer } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseCount } from "../numbers.ts";
import { patchEntry, readEntry } from "../registry.ts";
import { renderTable } from "../render/table.ts";
import { readFirings } from "../schedules/status.ts";

export const command: CommandModule = {
  define(schedule: Command) {
    definePreview(schedule);
    for (const active of [false, true]) {
      const verb = schedule
        .command(active ? "resume" : "pause")
        .description(active ? "go on with a schedule; nothing is made up for" : "stop a schedule until it is resumed")
        .argument("<name>", "the schedule")
        .action((name: string) => setActive(contextOf(verb), name, active));
    }
    const trigger = schedule
      .command("trigger")
      .description("start a schedule's operation now, as the schedule would")
      .argument("<name>", "the schedule")
      .action((name: string) => triggerNow(contextOf(trigger), name));
    examples(trigger, [["opctl schedule trigger nightly", "prints the execution's id"]]);
    const history = schedule
      .command("history")
      .description("what became of a schedule's last due times, newest first")
      .argument("<name>", "the schedule")
      .option("-l, --limit <n>", "at most this many", "20")
      .action((name: string, { limit }: { limit: string }) => showHistory(contextOf(history), name, limit));
    examples(history, [
      ["opctl schedule history nightly", "what was started, and what was skipped and why"],
      ["opctl get execution ex_…", "how one of these executions ended"],
    ]);
    examples(schedule, [
      [`opctl schedule preview '*/5 * * * MON-FRI' --tz Europe/Berlin`, "before it is stored"],
      [
        `opctl create schedule -s name=tick -s operation=echo -s cron='*/5 * * * MON-FRI' -s time_zone=Europe/Berlin -s input.input_str=hi`,
        "a schedule is a row",
      ],
      ["opctl get schedules", "when each is due next"],
      ["opctl schedule pause tick", "until opctl schedule resume tick"],
      ["opctl schedule history tick", "what it did"],
    ]);
  },
};

type PreviewOptions = { tz: string; count: string; from?: string };

function definePreview(schedule: Command): void {
  const preview = schedule
    .command("preview")
    .description("when a cron expression would be due; asks no platform")
    .argument("<expression>", "five fields, or six with the second first, in quotes")
    .option("--tz <zone>", "an IANA time zone", "UTC")
    .option("--count <n>", "how many due times", "10")
    .option("--from <time>", "after this RFC 3339 time, and not after now")
    .action(async (expression: string, options: PreviewOptions) => {
      const { output } = contextOf(preview);
      const { preview: find } = await import("../schedules/preview.ts");
      const { parseTime } = await import("../schedules/parse-time.ts");
      const found = find(expression, {
        timeZone: options.tz,
        from: options.from === undefined ? Date.now() : parseTime("--from", options.from),
        count: parseCount("--count", options.count),
      });
      if (output.json) return output.value(found);
      const rows = found.map(({ local, due_at: utc, note }) => [local, utc, note ?? ""]);
      output.data(renderTable([options.tz, "utc", "note"], rows, 80));
    });
  examples(preview, [
    [`opctl schedule preview '0 2 * * *' --tz Europe/Berlin`, "the next ten nights"],
    [
      `opctl schedule preview '30 2 * * *' --tz Europe/Berlin --from 2026-10-24T00:00:00Z`,
      "where the clocks are changed",
    ],
  ]);
}

async function setActive({ client, globals, output }: Context, name: string, active: boolean): Promise<void> {
  const { entry, etag } = await readEntry(client, "schedule", name);
  if (entry["active"] === active) {
    output.say(`The schedule "${name}" is ${active ? "active" : "paused"} already.`);
    if (globals.json) output.value(entry);
    return;
  }
  const { entry: changed } = await patchEntry(client, "schedule", name, { active }, etag);
  if (globals.json) output.value(changed);
  else output.say(`${active ? "Resumed" : "Paused"} the schedule "${name}".`);
}

async function triggerNow({ client, globals, output }: Context, name: string): Promise<void> {
  const answer = await client.request("POST", `/schedules/${encodeURIComponent(name)}/trigger`);
  const { execution_id: id } = parseAnswer(answer) as { execution_id: string };
  if (globals.json) output.value({ execution_id: id });
  else output.data(id);
}

async function showHistory({ client, globals, output }: Context, name: string, limit: string): Promise<void> {
  const firings = await readFirings(client, name, parseCount("--limit", limit));
  if (globals.json) return output.value(firings);
  if (firings.length === 0) return output.say(`The schedule "${name}" has not been due yet.`);
  const rows = firings.map((each) => [
    each.due_at,
    each.manual ? `${each.status}, by hand` : each.status,
    each.fired_at,
    each.execution_id,
    each.reason,
  ]);
  output.data(renderTable(["due_at", "status", "fired_at", "execution_id", "reason"], rows, 80));
}

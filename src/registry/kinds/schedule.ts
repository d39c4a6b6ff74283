/**
 * Schedules: either a cron expression or an interval, with due times that come; an input that the operation takes as it is
 * now; and no setting that would do nothing. A pause is never refused for what has become of the operation meanwhile.
 */
import { parseCron } from "../../model/cron.ts";
import { dueBetween, dueTimes } from "../../model/due-times.ts";
import { SCHEDULE_DEFAULTS, type Schedule } from "../../model/triggers.ts";
import { checkInputFits } from "./operation-input.ts";
import { refuse, type KindRules } from "./rules.ts";
import { checkTimeZone } from "./time-zone.ts";
import { checkScopes, startedOperation } from "./trigger.ts";

export const scheduleRules: KindRules<"schedule"> = {
  restore: (manifest, _resolved, context) => scheduleRules.settle(manifest, context),
  async settle(manifest, context) {
    checkTiming(manifest);
    checkPolicy(manifest);
    checkScopes("schedule", manifest, context);
    const operation = await startedOperation("schedule", manifest, context);
    const { touched } = context;
    const isPause =
      !manifest.active && context.basis !== undefined && !touched.has("input") && !touched.has("operation");
    if (!isPause)
      await checkInputFits(`the schedule "${manifest.name}"`, {
        row: operation.row,
        input: manifest.input,
        pointer: "/input",
      });
    return { manifest, resolved: {}, uses: [operation.use] };
  },
};

function checkTiming(manifest: Schedule): void {
  const { name, cron, every_ms: everyMs, time_zone: zone, jitter_ms: jitterMs } = manifest;
  if ((cron === null) === (everyMs === null)) {
    throw refuse(
      "definition_invalid",
      "/cron",
      `Cannot store the schedule "${name}": it must have either cron or every_ms; it has ${cron === null ? "neither" : "both"}`,
      cron === null
        ? "such as -s cron='0 2 * * *' or -s every_ms=300000"
        : "-s cron=null or -s every_ms=null takes one away",
    );
  }
  checkTimeZone(`the schedule "${name}"`, { zone, pointer: "/time_zone" });
  if (cron === null && zone !== SCHEDULE_DEFAULTS.time_zone) {
    throw without(
      name,
      "time_zone",
      `with every_ms, which counts from 1970-01-01T00:00:00Z; it is "${zone}"`,
      `leave it at ${SCHEDULE_DEFAULTS.time_zone}: -s time_zone=${SCHEDULE_DEFAULTS.time_zone}`,
    );
  }
  if (cron !== null) {
    const parsed = parseCron(cron, zone);
    if (!parsed.ok) {
      const detail = `Cannot store the schedule "${name}" with cron "${cron}": ${parsed.rule}; it is ${parsed.is}`;
      throw refuse("definition_invalid", "/cron", detail, parsed.hint);
    }
  }
  const apart = jitterMs === 0 ? Infinity : shortestGap(manifest);
  if (jitterMs >= apart) {
    throw refuse(
      "definition_invalid",
      "/jitter_ms",
      `Cannot store the schedule "${name}": jitter_ms must be less than the time between two due times, ${apart} ms; it is ${jitterMs}`,
    );
  }
}

/** Of the next due times, so that a start which is put off comes before the next due time. */
function shortestGap(manifest: Schedule): number {
  if (manifest.every_ms !== null) return manifest.every_ms;
  const from = Date.UTC(2024, 0, 1);
  const { due } = dueBetween(dueTimes(manifest), { after: from, until: Number.MAX_SAFE_INTEGER }, 64);
  return Math.min(...due.slice(1).map((at, place) => at - (due[place] ?? at)));
}

function checkPolicy({ name, overlap, catch_up: catchUp, catch_up_ms: catchUpMs }: Schedule): void {
  if (catchUp === "none" && catchUpMs !== SCHEDULE_DEFAULTS.catch_up_ms) {
    throw without(
      name,
      "catch_up_ms",
      `with catch_up none, which looks back at nothing; it is ${catchUpMs}`,
      `leave it at ${SCHEDULE_DEFAULTS.catch_up_ms}`,
    );
  }
  if (catchUp === "all" && overlap === "cancel_previous") {
    throw refuse(
      "setting_unsupported",
      "/catch_up",
      `Cannot store the schedule "${name}": catch_up all has no meaning with the overlap cancel_previous, by which each would be cancelled by the next at once`,
      "use catch_up last, or another overlap",
    );
  }
}

function without(name: string, field: string, why: string, hint?: string) {
  return refuse(
    "setting_unsupported",
    `/${field}`,
    `Cannot store the schedule "${name}": ${field} has no meaning ${why}`,
    hint,
  );
}

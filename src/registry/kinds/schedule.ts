/** Schedules: either a cron expression or an interval, and an input that the operation takes as it is now. */
import { refuse, type KindRules } from "./rules.ts";
import { checkScopes, startedOperation } from "./trigger.ts";

export const scheduleRules: KindRules<"schedule"> = {
  restore: (manifest, _resolved, context) => scheduleRules.settle(manifest, context),
  async settle(manifest, context) {
    const { name, cron, every_ms: everyMs } = manifest;
    if ((cron === null) === (everyMs === null)) {
      throw refuse(
        "definition_invalid",
        "/cron",
        `Cannot store the schedule "${name}": it must have either cron or every_ms; it has ${cron === null ? "neither" : "both"}`,
      );
    }
    checkScopes("schedule", manifest, context);
    const operation = await startedOperation("schedule", manifest, context);
    return { manifest, resolved: {}, uses: [operation.use] };
  },
};

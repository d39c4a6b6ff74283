/**
 * The built-in functions over what schedules do: what becomes of their due times is kept by objects in a higher layer, which
 * come in as a port. When a schedule is due next is no question to them: that follows from its row.
 */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import { dueTimes } from "../../model/due-times.ts";
import { NameSchema } from "../../model/names.ts";
import type { Principal } from "../../model/principal.ts";
import type { Schedule } from "../../model/triggers.ts";
import { getEntity, listEntities } from "../read.ts";
import { notFound } from "../write.ts";
import type { WiredFunction } from "./execution-functions.ts";
import { optional, parseInput } from "./parse-input.ts";
import { LimitSchema, NO_NUL, pageOutput } from "./schemas.ts";

const CursorSchema = v.optional(v.pipe(v.string(), v.maxLength(200), NO_NUL));
/** Due times ahead that one schedule's status tells. */
const AHEAD = 5;

export const FIRING_STATUSES = ["fired", "skipped", "queued", "failed", "missed"] as const;

/** What became of one due time. `queued`: it is still to be started. */
const firingSchema = v.strictObject({
  due_at: v.string(),
  status: v.picklist(FIRING_STATUSES),
  fired_at: v.nullable(v.string()),
  execution_id: v.nullable(v.string()),
  reason: v.nullable(v.string()),
  /** Started by hand, and not by the clock. */
  manual: v.boolean(),
  /** Times that its start was tried. */
  tries: v.number(),
});
export type ScheduleFiring = v.InferOutput<typeof firingSchema>;

const statusSchema = v.strictObject({
  name: v.string(),
  operation: v.string(),
  active: v.boolean(),
  /** The next due times, from the earliest on; none while it is paused. */
  next: v.array(v.string()),
  last: v.nullable(firingSchema),
  /** Due times that are still to be started. */
  waiting: v.number(),
});

export type SchedulePorts = {
  schedules: {
    /** Of those that the objects know. */
    summaries(names: readonly string[]): Promise<ReadonlyMap<string, { last: ScheduleFiring | null; waiting: number }>>;
    history(
      name: string,
      options: { limit: number; cursor: string | undefined },
    ): Promise<{ items: ScheduleFiring[]; next_cursor: string | null }>;
    /** Starts it now, with its own rights. Throws entity_not_found, trigger_inactive, forbidden, and what dispatch does. */
    trigger(name: string, principal: Principal): Promise<string>;
  };
};

const listInput = v.strictObject({ limit: LimitSchema, cursor: CursorSchema });
const nameInput = v.strictObject({ name: NameSchema });
const historyInput = v.strictObject({ name: NameSchema, limit: LimitSchema, cursor: CursorSchema });
const triggerOutput = v.strictObject({ execution_id: v.string() });

export const SCHEDULE_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "list_schedule_status",
    description: "When schedules are due next, what became of their last due times, and what waits.",
    scope: "registry:read",
    input: () => listInput,
    output: () => pageOutput(statusSchema),
    async run(name, { input, ports, registry }) {
      const { limit, cursor } = parseInput(listInput, input, name);
      const page = await listEntities(registry.database, "schedule", {
        limit,
        conditions: {},
        ...optional({ cursor }),
      });
      const rows = page.items as unknown as Schedule[];
      const known = await ports.schedules.summaries(rows.map((row) => row.name));
      return { items: rows.map((row) => statusOf(row, known.get(row.name), 1)), next_cursor: page.next_cursor };
    },
  },
  {
    name: "get_schedule_status",
    description: "When one schedule is due next, what became of its last due time, and what waits.",
    scope: "registry:read",
    input: () => nameInput,
    output: () => statusSchema,
    async run(name, { input, ports, registry }) {
      const { name: wanted } = parseInput(nameInput, input, name);
      const row = (await getEntity(registry.database, "schedule", { name: wanted })) as unknown as Schedule;
      return statusOf(row, (await ports.schedules.summaries([wanted])).get(wanted), AHEAD);
    },
  },
  {
    name: "list_schedule_firing",
    description: "What became of one schedule's due times, newest first; the last hundred are remembered.",
    scope: "registry:read",
    input: () => historyInput,
    output: () => pageOutput(firingSchema),
    async run(name, { input, ports, registry }) {
      const { name: wanted, limit, cursor } = parseInput(historyInput, input, name);
      if (cursor !== undefined && !/^[1-9][0-9]{0,14}$/.test(cursor)) {
        throw new SwitchyardError(
          "input_invalid",
          `Cannot go on after "${cursor}": the cursor must be the next_cursor of the page before; it is not`,
          { errors: [{ pointer: "/cursor", keyword: "cursor", detail: "must be the next_cursor of the page before" }] },
        );
      }
      if ((await registry.trigger("schedule", wanted)) === undefined) throw notFound("schedule", wanted);
      return ports.schedules.history(wanted, { limit, cursor });
    },
  },
  {
    name: "trigger_schedule",
    description: "Starts a schedule's operation now, beside its due times, as the schedule would.",
    scope: "registry:write",
    input: () => nameInput,
    output: () => triggerOutput,
    async run(name, { input, principal, ports }) {
      const { name: wanted } = parseInput(nameInput, input, name);
      return { execution_id: await ports.schedules.trigger(wanted, principal) };
    },
  },
];

function statusOf(
  row: Schedule,
  known: { last: ScheduleFiring | null; waiting: number } | undefined,
  ahead: number,
): v.InferOutput<typeof statusSchema> {
  const { name, operation, active } = row;
  const next: string[] = [];
  const times = dueTimes(row);
  const first = active ? times.next(Date.now()) : undefined;
  for (let at = first; at !== undefined && next.length < ahead; at = times.next(at)) {
    next.push(new Date(at).toISOString());
  }
  return { name, operation, active, next, last: known?.last ?? null, waiting: known?.waiting ?? 0 };
}

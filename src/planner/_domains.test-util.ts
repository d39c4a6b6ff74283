/** Planning problems for tests and benchmarks: counters, the blocks world, services that are updated. */
import type { Job } from "./job.ts";
import type { Json } from "./json.ts";

const number = (value: unknown): number => (typeof value === "number" ? value : 0);

export const COUNTER_JOBS: readonly Job[] = [
  {
    name: "plus_one",
    path: "/counters/:name",
    when: ({ value, target }) => number(value) < number(target),
    effect: ({ value }) => number(value) + 1,
    describe: ({ params }) => `${params["name"]} + 1`,
  },
  {
    name: "minus_one",
    path: "/counters/:name",
    when: ({ value, target }) => number(value) > number(target),
    effect: ({ value }) => number(value) - 1,
    describe: ({ params }) => `${params["name"]} - 1`,
  },
  {
    name: "plus_two",
    path: "/counters/:name",
    when: ({ value, target }) => number(target) - number(value) > 1,
    expand: () => [{ job: "plus_one" }, { job: "plus_one" }],
    order: "ordered",
    describe: ({ params }) => `${params["name"]} + 2`,
  },
];

/** Where each block is: on a block, on the table, or in the hand. `clear`: nothing is on it. */
const on = (blocks: Json, block: string): string | undefined => (blocks as Record<string, string>)[block];
const isClear = (blocks: Json, block: string): boolean =>
  !Object.values(blocks as Record<string, string>).includes(block);
const handIsEmpty = (blocks: Json): boolean => !Object.values(blocks as Record<string, string>).includes("hand");

/** Whether a block, and all below it, stand where the target wants them. */
function isDone(blocks: Json, target: Json, block: string): boolean {
  const wanted = on(target, block);
  const where = on(blocks, block);
  if (wanted === undefined) return where === "table" || isDone(blocks, target, where ?? "table");
  if (where !== wanted) return false;
  return wanted === "table" || isDone(blocks, target, wanted);
}

/** Which block to move next, and where to, as anybody would. undefined: nothing is left to do. */
function nextMove(blocks: Json, target: Json): { block: string; to: string } | undefined {
  const clear = Object.keys(blocks as object).filter((block) => isClear(blocks, block));
  for (const block of clear) {
    if (isDone(blocks, target, block)) continue;
    const to = on(target, block) ?? "table";
    if (to === "table" ? on(blocks, block) !== "table" : isDone(blocks, target, to) && isClear(blocks, to))
      return { block, to };
  }
  const waiting = clear.find((block) => !isDone(blocks, target, block) && on(blocks, block) !== "table");
  return waiting === undefined ? undefined : { block: waiting, to: "table" };
}

/** Plain moves only: the search finds the way. */
export const BLOCK_MOVES: readonly Job[] = [
  {
    name: "pick_up",
    path: "/blocks/:block",
    kind: "wildcard",
    reads: ["/blocks"],
    when: ({ params, read }) => {
      const blocks = read("/blocks") as Json;
      return handIsEmpty(blocks) && isClear(blocks, params["block"] as string);
    },
    effect: () => "hand",
    describe: ({ params }) => `pick up ${params["block"]}`,
  },
  {
    name: "put_on_table",
    path: "/blocks/:block",
    kind: "wildcard",
    when: ({ value }) => value === "hand",
    effect: () => "table",
    describe: ({ params }) => `put ${params["block"]} on the table`,
  },
  {
    name: "stack",
    path: "/blocks/:block",
    kind: "wildcard",
    reads: ["/blocks"],
    when: ({ value, target, read }) =>
      value === "hand" && typeof target === "string" && target !== "table" && isClear(read("/blocks") as Json, target),
    effect: ({ target }) => target,
    describe: ({ params, target }) => `stack ${params["block"]} on ${JSON.stringify(target)}`,
  },
];

/** With a compound job that knows the way. */
export const BLOCK_JOBS: readonly Job[] = [
  {
    name: "move",
    path: "/blocks",
    when: ({ value, target }) => nextMove(value as Json, target as Json) !== undefined,
    expand: ({ value, target }) => {
      const next = nextMove(value as Json, target as Json);
      if (next === undefined) return [];
      const path = `/blocks/${next.block}`;
      return [
        { job: "pick_up", path },
        next.to === "table" ? { job: "put_on_table", path } : { job: "stack", path, target: next.to },
      ];
    },
    order: "ordered",
  },
  ...BLOCK_MOVES.map((job): Job => Object.assign({}, job, { kind: "any" as const })),
];

/** From the lowest to the highest. */
export function tower(...blocks: readonly string[]): Record<string, string> {
  return Object.fromEntries(blocks.map((block, at) => [block, blocks[at - 1] ?? "table"]));
}

type Service = { image: string; running: boolean; installed: boolean; fetched: string | null };

/** Per service: stop, remove, fetch, install, start. */
export const SERVICE_JOBS: readonly Job[] = [
  {
    name: "update",
    path: "/services/:name",
    when: ({ value, target }) => (value as Service).image !== (target as Service).image,
    expand: () => ["stop", "remove", "fetch", "install", "start"].map((job) => ({ job })),
    order: "ordered",
  },
  {
    name: "stop",
    path: "/services/:name",
    when: ({ value }) => (value as Service).running,
    effect: ({ value }) => ({ ...(value as Service), running: false }),
  },
  {
    name: "remove",
    path: "/services/:name",
    when: ({ value }) => !(value as Service).running && (value as Service).installed,
    effect: ({ value }) => ({ ...(value as Service), installed: false }),
  },
  {
    name: "fetch",
    path: "/services/:name",
    when: ({ value, target }) => (value as Service).fetched !== (target as Service).image,
    effect: ({ value, target }) => ({ ...(value as Service), fetched: (target as Service).image }),
  },
  {
    name: "install",
    path: "/services/:name",
    when: ({ value, target }) =>
      !(value as Service).installed && (value as Service).fetched === (target as Service).image,
    effect: ({ value, target }) => ({ ...(value as Service), installed: true, image: (target as Service).image }),
  },
  {
    name: "start",
    path: "/services/:name",
    when: ({ value }) => (value as Service).installed && !(value as Service).running,
    effect: ({ value }) => ({ ...(value as Service), running: true }),
  },
];

export function fleet(count: number, image: string): { services: Record<string, Service> } {
  const names = Array.from({ length: count }, (_, at) => `service_${at}`);
  return {
    services: Object.fromEntries(
      names.map((name) => [name, { image, running: true, installed: true, fetched: image }]),
    ),
  };
}

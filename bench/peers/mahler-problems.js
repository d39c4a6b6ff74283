// The planning problems of the benchmark as mahler's tasks: the same worlds, conditions and effects as in
// src/planner/_domains.test-util.ts, written as its documentation does.
import mahler from "mahler";
import plannerModule from "mahler/planner";

const { Task } = mahler;
const { Planner } = plannerModule;

const counter = Task.of().from({
  lens: "/counters/:name",
  condition: (value, { target }) => value < target,
  effect: (value) => ++value._,
  description: ({ name }) => `${name} + 1`,
});
const plusTwo = Task.of().from({
  lens: "/counters/:name",
  condition: (value, { target }) => target - value > 1,
  method: (_, { name, target }) => [counter({ name, target }), counter({ name, target })],
  description: ({ name }) => `${name} + 2`,
});

const isClear = (blocks, block) => !Object.values(blocks).includes(block);
const handIsEmpty = (blocks) => !Object.values(blocks).includes("hand");

function isDone(blocks, target, block) {
  const wanted = target[block];
  const where = blocks[block];
  if (wanted === undefined) return where === "table" || isDone(blocks, target, where ?? "table");
  return where === wanted && (wanted === "table" || isDone(blocks, target, wanted));
}

function nextMove(blocks, target) {
  const clear = Object.keys(blocks).filter((block) => isClear(blocks, block));
  for (const block of clear) {
    if (isDone(blocks, target, block)) continue;
    const to = target[block] ?? "table";
    if (to === "table" ? blocks[block] !== "table" : isDone(blocks, target, to) && isClear(blocks, to))
      return { block, to };
  }
  const waiting = clear.find((block) => !isDone(blocks, target, block) && blocks[block] !== "table");
  return waiting === undefined ? undefined : { block: waiting, to: "table" };
}

const pickUp = Task.of().from({
  lens: "/blocks/:block",
  condition: (_, { block, system }) => handIsEmpty(system.blocks) && isClear(system.blocks, block),
  effect: (where) => (where._ = "hand"),
  description: ({ block }) => `pick up ${block}`,
});
const putOnTable = Task.of().from({
  lens: "/blocks/:block",
  condition: (where) => where === "hand",
  effect: (where) => (where._ = "table"),
  description: ({ block }) => `put ${block} on the table`,
});
const stack = Task.of().from({
  lens: "/blocks/:block",
  condition: (where, { target, system }) =>
    where === "hand" && typeof target === "string" && target !== "table" && isClear(system.blocks, target),
  effect: (where, { target }) => (where._ = target),
  description: ({ block, target }) => `stack ${block} on ${target}`,
});
const move = Task.of().from({
  lens: "/blocks",
  condition: (blocks, { target }) => nextMove(blocks, target) !== undefined,
  method: (blocks, { target }) => {
    const { block, to } = nextMove(blocks, target);
    const put = to === "table" ? putOnTable : stack;
    return [pickUp({ block, target: "hand" }), put({ block, target: to })];
  },
  description: "move",
});

const step = (name, condition, effect) =>
  Task.of().from({ lens: "/services/:name", condition, effect, description: ({ name: of }) => `${name} ${of}` });
const stop = step(
  "stop",
  (it) => it.running,
  (it) => void (it._.running = false),
);
const remove = step(
  "remove",
  (it) => !it.running && it.installed,
  (it) => void (it._.installed = false),
);
const fetchImage = step(
  "fetch",
  (it, { target }) => it.fetched !== target.image,
  (it, { target }) => void (it._.fetched = target.image),
);
const install = step(
  "install",
  (it, { target }) => !it.installed && it.fetched === target.image,
  (it, { target }) => void Object.assign(it._, { installed: true, image: target.image }),
);
const start = step(
  "start",
  (it) => it.installed && !it.running,
  (it) => void (it._.running = true),
);
const update = Task.of().from({
  lens: "/services/:name",
  condition: (it, { target }) => it.image !== target.image,
  method: (_, { name, target }) => [stop, remove, fetchImage, install, start].map((each) => each({ name, target })),
  description: ({ name }) => `update ${name}`,
});

const TASKS = {
  counters: [plusTwo, counter],
  blocks: [move, pickUp, putOnTable, stack],
  services: [update, stop, remove, fetchImage, install, start],
};

/** Steps of the plan, or undefined when it found none. */
export function solve(world, state, target) {
  const planner = Planner.from({ tasks: TASKS[world], config: { maxSearchDepth: 5_000 } });
  const plan = planner.findPlan(state, target);
  return plan.success ? count(plan.start) : undefined;
}

function count(node) {
  let steps = 0;
  const seen = new Set();
  const walk = (at) => {
    for (let next = at; next !== null && next !== undefined; next = next.next) {
      if (Array.isArray(next)) return next.forEach(walk);
      if (seen.has(next)) return undefined;
      seen.add(next);
      if (next.action !== undefined) steps += 1;
    }
    return undefined;
  };
  walk(node);
  return steps;
}

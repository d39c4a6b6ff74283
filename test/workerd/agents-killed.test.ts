/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The object of an agent, killed before and after each of its writes in turn: it ends where it would have, and does nothing twice. */
import { describe, expect, it, vi } from "vitest";
import { EVERY, firstKill } from "./_kills.ts";
import { clock, SECOND, START, SUCCESS, TestWorld } from "./agents-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

/** Worlds one after another, each with a death more: minutes on a machine with other work. */
const LONG_MS = 240_000;
const MOST_WRITES = 60;

const PLUS_ONE = {
  name: "plus_one",
  path: "/counters/:name",
  when: "value < target",
  effect: "value + 1",
  operation: "plus_one",
  input: '{"path": path, "value": value}',
};

function counting(fields: object = {}): TestWorld {
  const world = new TestWorld();
  world.job(PLUS_ONE);
  world.write({ initial: { counters: { a: 0, b: 0 } }, ...fields });
  return world;
}

const done = (world: TestWorld, counter: string): number => world.outside.get(`/counters/${counter}`) ?? 0;

/** As much as can happen now has happened, though the object dies of it. */
async function rest(world: TestWorld): Promise<void> {
  await world.stub.rest().catch(() => undefined);
  await world.stub.rest();
}

type Story = {
  begin(): TestWorld;
  tell(world: TestWorld): Promise<void>;
  /** How it must end, whenever it died. */
  end: { phase: string; state: object };
  /** What its operations have done outside. */
  outside: { a: number; b: number };
};

const STORIES: Record<string, Story> = {
  "a step that fails, sensors before each plan": {
    begin() {
      const world = counting({ sensors: [{ operation: "look", path: "/seen" }] });
      world.seen.set("look", true);
      world.failing.set("plus_one", 1);
      return world;
    },
    async tell(world) {
      await world.seek({ counters: { a: 2, b: 2 } });
      await world.pass(200 * SECOND);
    },
    end: { phase: "reached", state: { counters: { a: 2, b: 2 }, seen: true } },
    // The one that failed has done nothing.
    outside: { a: 2, b: 2 },
  },
  "a step that fails twice, then works": {
    begin() {
      const world = counting();
      world.failing.set("plus_one", 2);
      return world;
    },
    async tell(world) {
      await world.seek({ counters: { a: 1 } });
      await world.pass(200 * SECOND);
    },
    end: { phase: "reached", state: { counters: { a: 1, b: 0 } } },
    outside: { a: 1, b: 0 },
  },
  "a sensor that contradicts an effect": {
    begin() {
      const world = counting({ sensors: [{ operation: "look", path: "/counters/a" }] });
      // The first has worked, as far as anybody knows, and was to no effect.
      world.seen.set("look", () => Math.max(0, done(world, "a") - 1));
      return world;
    },
    async tell(world) {
      await world.seek({ counters: { a: 2 } });
      await world.pass(200 * SECOND);
    },
    end: { phase: "reached", state: { counters: { a: 2, b: 0 } } },
    outside: { a: 3, b: 0 },
  },
  "a target that changes while a step of the one before runs": {
    begin() {
      const world = counting();
      world.holds = true;
      return world;
    },
    async tell(world) {
      await world.seek({ counters: { a: 2 } });
      await rest(world);
      // Where it died before, nobody has rung yet.
      await world.pass(2 * SECOND);
      await world.seek({ counters: { b: 1 } });
      await rest(world);
      world.holds = false;
      for (const kept of world.executions) {
        kept.status = "succeeded";
        kept.outcome ??= SUCCESS;
      }
      await world.pass(200 * SECOND);
    },
    // One step of the first target had begun.
    end: { phase: "reached", state: { counters: { a: 1, b: 1 } } },
    outside: { a: 1, b: 1 },
  },
  "a target that no way leads to": {
    begin: () => counting(),
    async tell(world) {
      await world.seek({ counters: { a: -1, b: 1 } });
      await world.pass(5 * SECOND);
    },
    // Not even what could have been done of it.
    end: { phase: "unreachable", state: { counters: { a: 0, b: 0 } } },
    outside: { a: 0, b: 0 },
  },
};

describe.each(Object.entries(STORIES))("%s", (_what, story) => {
  it.each(["dieBefore", "dieAfter"] as const)(
    "ends the same wherever the object is killed (%s a write)",
    async (where) => {
      let deaths = 0;
      const first = firstKill(where);
      for (let at = first, writes = first; at <= writes; at += EVERY) {
        const world = story.begin();
        world[where] = at;
        await story.tell(world);
        if (world.writes >= at) deaths += 1;
        if (at === first || world.writes > writes) writes = Math.min(world.writes, MOST_WRITES);
        const { phase, state } = await world.status();
        expect({ at, phase, state }).toEqual({ at, ...story.end });
        expect({ at, a: done(world, "a"), b: done(world, "b") }).toEqual({ at, ...story.outside });
      }
      expect(deaths).toBeGreaterThan(1);
      expect(clock.now).toBeGreaterThan(START);
    },
    LONG_MS,
  );
});

it("killed between the start of a step and its end it finds what has become of it", async () => {
  const world = counting();
  world.holds = true;
  await world.seek({ counters: { a: 1 } });
  await world.stub.rest();
  await world.restart();
  world.executions[0]!.status = "succeeded";
  world.executions[0]!.outcome = SUCCESS;
  await world.pass(70 * SECOND);
  expect(await world.status()).toMatchObject({ phase: "reached", state: { counters: { a: 1 } } });
  expect(done(world, "a")).toBe(1);
});

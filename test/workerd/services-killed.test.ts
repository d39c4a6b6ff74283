/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** The object of a service, killed before and after each of its writes through a whole life: nothing starts twice, nothing is left. */
import { expect, it, vi } from "vitest";
import { EVERY } from "./_kills.ts";
import { SECOND, TestWorld } from "./services-world.ts";

vi.spyOn(console, "error").mockImplementation(() => undefined);

/** Lives one after another, each with a death at another place. */
const LONG_MS = 300_000;
const MOST_WRITES = 120;
/** Each place takes a few seconds on a busy machine; tests of this many places go side by side in the list. */
const PARTS = 4;

const MACHINE = {
  initial: "cold",
  states: { cold: { replicas: 0 }, hot: { replicas: null } },
  transitions: [
    { name: "warm_up", from: "cold", to: "hot", when: { fact: "waiting", op: ">", value: 0 } },
    { name: "cool_down", from: "hot", to: "cold", when: { fact: "idle_seconds", op: ">=", value: 30 } },
  ],
};

/** Who asks is answered with what runs. */
async function served(world: TestWorld, at: number): Promise<void> {
  const answer = await world.acquire();
  expect({ at, kind: answer.kind }).toEqual({ at, kind: "lease" });
  if (answer.kind !== "lease") return;
  const running = world.running().map(({ replica }) => replica);
  for (const { replica } of answer.replicas)
    expect({ at, running }).toEqual({ at, running: expect.arrayContaining([replica]) });
  await world.report();
}

/** Cold, hot, scaled out, rolled, restarted, idle, cold, hot again, deleted. */
async function life(world: TestWorld, at: number): Promise<void> {
  await served(world, at);
  expect(await world.command({ do: "scale", replicas: 2 })).toBeUndefined();
  await world.pass(3 * SECOND);
  await world.put({ variables: { VERSION: "2" } });
  await world.pass(8 * SECOND);
  await served(world, at);
  await world.command({ do: "restart" });
  await world.pass(8 * SECOND);
  await served(world, at);
  await world.pass(2 * SECOND);
  const { replicas, revision } = await world.status();
  expect({ at, revisions: replicas.map((each) => `${each.phase} ${each.revision}`) }).toEqual({
    at,
    revisions: [`ready ${revision}`, `ready ${revision}`],
  });
  await world.pass(40 * SECOND);
  expect({ at, running: world.running() }).toEqual({ at, running: [] });
  await served(world, at);
  world.row = undefined;
  await world.changed();
  await world.pass(10 * SECOND);
}

it.each(
  (["dieBefore", "dieAfter"] as const).flatMap((where) =>
    Array.from({ length: PARTS }, (_, part) => ({ where, part: part + 1 })),
  ),
)(
  "lives as it would have, wherever it is killed ($where a write, part $part)",
  async ({ where, part }) => {
    let deaths = 0;
    for (let at = part, writes = at; at <= writes; at += PARTS * EVERY) {
      const world = new TestWorld({ replicas: { min: 1, max: 3 } }, MACHINE);
      world[where] = at;
      await life(world, at);
      if (world.writes >= at) deaths += 1;
      writes = Math.max(writes, Math.min(world.writes, MOST_WRITES));
      expect({ at, once: new Set(world.begun).size }).toEqual({ at, once: world.begun.length });
      expect({ at, stopped: world.stopped.toSorted() }).toEqual({ at, stopped: world.begun.toSorted() });
      expect({ at, running: world.running() }).toEqual({ at, running: [] });
      for (const table of ["service", "replicas"]) {
        expect({ at, rows: await world.stub.rows(`SELECT * FROM ${table}`) }).toEqual({ at, rows: [] });
      }
    }
    expect(deaths).toBeGreaterThan(1);
  },
  LONG_MS,
);

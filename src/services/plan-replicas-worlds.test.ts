import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planReplicas, type Known, type Move, type Wanted } from "./plan-replicas.ts";

/** A place where replicas start and end when chance says so, and where not all that may begin does. */
class World {
  readonly replicas = new Map<string, Known>();
  #names = 0;

  constructor(known: readonly Known[]) {
    for (const each of known) this.replicas.set(each.replica, { ...each });
  }

  get known(): Known[] {
    return [...this.replicas.values()];
  }

  of(...phases: readonly Known["phase"][]): Known[] {
    return this.known.filter(({ phase }) => phases.includes(phase));
  }

  /** Where no new one comes to any more: those whose names say so. */
  get elsewhere(): string[] {
    return this.known.map(({ replica }) => replica).filter((replica) => replica.startsWith("e"));
  }

  /** Those that go elsewhere are in nobody's way. */
  get present(): number {
    const isInTheWay = ({ phase, replica }: Known) => phase !== "stopping" || !this.elsewhere.includes(replica);
    return this.known.filter((each) => each.phase !== "ended" && isInTheWay(each)).length;
  }

  /** How many that are ready; not those that are broken where nothing can be put in their place. */
  serving(roll: Wanted["roll"]): number {
    return this.of("ready").filter(({ revision: runs }) => roll === "newest" || runs !== "").length;
  }

  names(): string[] {
    return Array.from({ length: 8 }, () => `n${this.#names++}`);
  }

  do(move: Move): void {
    const is = this.replicas.get(move.replica);
    const from = (...phases: readonly Known["phase"][]): Known => {
      if (is === undefined || !phases.includes(is.phase)) throw new Error(`${move.do} of one that is ${is?.phase}`);
      return is;
    };
    switch (move.do) {
      case "start": {
        const { replica, revision, count } = move;
        if (this.elsewhere.includes(replica)) throw new Error(`${replica} is elsewhere and cannot be told`);
        this.replicas.set(replica, { replica, revision, count, phase: is?.phase ?? "starting" });
        return;
      }
      case "admit":
        from("candidate").phase = "ready";
        return;
      case "undrain":
        from("draining").phase = "ready";
        return;
      case "drain":
        from("ready").phase = "draining";
        return;
      case "stop":
        from("starting", "candidate", "draining").phase = "stopping";
        return;
      case "forget":
        from("ended");
        this.replicas.delete(move.replica);
    }
  }

  /** What is under way comes to its end. */
  settle(replica: Known): void {
    if (replica.phase === "starting") replica.phase = "candidate";
    if (replica.phase === "stopping") replica.phase = "ended";
  }
}

const phase = fc.constantFrom("starting", "candidate", "ready", "draining", "stopping", "ended" as const);
const revision = fc.constantFrom("v1", "v2", "v3");
const singles = fc
  .array(fc.record({ revision: fc.constantFrom("v1", "v2", "v3", ""), phase }), { maxLength: 6 })
  .map((all) => all.map((each, at): Known => ({ replica: `a${at}`, count: 1, ...each })));
const sets = fc
  .array(fc.record({ revision: fc.constantFrom("v1", "v2", ""), phase, count: fc.integer({ min: 1, max: 4 }) }), {
    maxLength: 2,
  })
  .chain((all) => fc.tuple(fc.constant(all), fc.subarray(["e", "e"])))
  .map(([all, elsewhere]) =>
    all.map((each, at): Known => {
      const isElsewhere = at < elsewhere.length && each.revision !== "";
      return {
        ...each,
        replica: `${isElsewhere ? "e" : "a"}${at}`,
        revision: `${isElsewhere ? "e" : ""}${each.revision}`,
      };
    }),
  );
const wishes = fc.record({
  replicas: fc.integer({ min: 0, max: 5 }),
  revision,
  roll: fc.constantFrom("newest", "kept", "both" as const),
});
type Wish = { replicas: number; revision: string; roll: Wanted["roll"] };
/** Which of what may be next is: numbers that choose. */
const chances = fc.array(fc.nat({ max: 1_000 }), { minLength: 40, maxLength: 40 });

const MOST_STEPS = 400;

/** `cold`: whether none was ready when it was planned. */
type Before = { ready: number; present: number; cold: boolean };

/** Takes one thing that may happen after another, by chance as long as there is some, until nothing is left. */
function run(
  world: World,
  { wish, unit, chance }: { wish: Wish; unit: Wanted["unit"]; chance: number[] },
  check: (before: Before, what: string) => void,
): void {
  const left = [...chance];
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const { now } = planReplicas(world.known, { ...wish, unit, elsewhere: world.elsewhere, names: world.names() });
    const waits = world.of("starting", "stopping");
    if (now.length + waits.length === 0) return;
    const pick = left.shift() ?? 0;
    const cold = world.of("ready").length === 0;
    const before = { ready: world.serving(wish.roll), present: world.present, cold };
    // Now and then all that may begin at once does, in an order of its own.
    if (pick % 3 === 0 && now.length > 0) {
      const turned = now.slice(pick % now.length).concat(now.slice(0, pick % now.length));
      for (const move of pick % 2 === 0 ? turned : turned.toReversed()) {
        const readyThen = world.serving(wish.roll);
        world.do(move);
        check({ ...before, ready: readyThen }, `${move.do} ${move.replica}`);
      }
      continue;
    }
    const at = pick % (now.length + waits.length);
    const move = now[at];
    if (move === undefined) world.settle(waits[at - now.length] as Known);
    else world.do(move);
    check(before, move === undefined ? "settled" : `${move.do} ${move.replica}`);
  }
  throw new Error(`nothing came of it in ${MOST_STEPS} steps: ${JSON.stringify(world.known)}`);
}

// Long where eight share two processors.
describe("what planReplicas() leads to, in any order", { timeout: 60_000 }, () => {
  test("is what was wanted, with enough that are ready and one more at most on the way", () => {
    fc.assert(
      fc.property(singles, fc.array(wishes, { minLength: 1, maxLength: 2 }), chances, (known, all, chance) => {
        const world = new World(known);
        for (const [at, wish] of all.entries()) {
          const isLast = at === all.length - 1;
          const { replicas } = wish;
          const check = (before: Before, what: string): void => {
            expect(world.serving(wish.roll), what).toBeGreaterThanOrEqual(Math.min(before.ready, replicas));
            if (before.cold) return;
            expect(world.present, what).toBeLessThanOrEqual(
              Math.max(before.present, replicas + (wish.roll === "both" ? 2 : 1)),
            );
          };
          const order = { wish, unit: "replica" as const, chance };
          if (isLast) run(world, order, check);
          // It is wanted otherwise before it is reached.
          else
            for (const move of planReplicas(world.known, {
              ...wish,
              unit: "replica",
              elsewhere: [],
              names: world.names(),
            }).now)
              world.do(move);
        }
        const { replicas, revision: newest, roll } = all.at(-1) as Wish;
        const serving = world.of("ready");
        const isNewest = serving.every((each) => each.revision === newest);
        const others = world.known.filter((each) => !serving.includes(each));
        expect(serving.filter((each) => each.revision === "")).toEqual([]);
        if (roll === "newest") expect(isNewest).toBe(true);
        if (isNewest) expect([serving.length, others.length]).toEqual([replicas, 0]);
        else {
          // What is kept cannot be made again.
          const beside = world.known.filter((each) => each.revision === newest);
          expect(serving.length).toBeLessThanOrEqual(replicas + (roll === "both" ? 1 : 0));
          expect(others.every((each) => roll === "both" && each.phase === "candidate")).toBe(true);
          expect(others.length).toBeLessThanOrEqual(1);
          if (roll === "both") expect(beside.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("lets none in that only stands beside those that serve", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom("kept", "both" as const),
        chances,
        (count, roll, chance) => {
          const known = Array.from({ length: count }, (_, at): Known => ({
            replica: `a${at}`,
            revision: "v1",
            phase: "ready",
            count: 1,
          }));
          const world = new World(known);
          const unready: string[] = [];
          run(world, { wish: { replicas: count, revision: "v2", roll }, unit: "replica", chance }, () => {
            unready.push(...world.of("ready").map((each) => each.revision));
          });
          expect(unready.filter((each) => each !== "v1")).toEqual([]);
          expect(world.of("ready")).toHaveLength(count);
          expect(world.of("candidate").map((each) => each.revision)).toEqual(roll === "both" ? ["v2"] : []);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("is one set of what was wanted, never without one that is ready once one is", () => {
    fc.assert(
      fc.property(sets, wishes, chances, (known, wish, chance) => {
        const world = new World(known);
        run(world, { wish, unit: "set", chance }, (before, what) => {
          const least = Math.min(before.ready, wish.replicas, 1);
          expect(world.serving(wish.roll), what).toBeGreaterThanOrEqual(least);
          expect(world.present, what).toBeLessThanOrEqual(Math.max(before.present, 2));
        });
        const { replicas, revision: newest, roll } = wish;
        const [serving, ...more] = world.of("ready");
        if (replicas === 0) {
          expect(world.known).toEqual([]);
          return;
        }
        expect(serving).toBeDefined();
        if (roll === "newest") expect(serving?.revision).toBe(newest);
        if (serving?.revision === newest && more.length === 0) expect(serving.count).toBe(replicas);
        if (roll !== "both") expect(world.known).toHaveLength(1);
        else expect(world.known.some((each) => each.revision === newest)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

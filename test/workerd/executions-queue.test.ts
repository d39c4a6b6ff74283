import { describe, expect, it } from "vitest";
import { ended, item, TestWorld } from "./execution-world.ts";

describe("accept()", () => {
  it("launches", async () => {
    const world = new TestWorld();
    const one = item();
    expect(await world.accept([one])).toEqual([{ kind: "accepted" }]);
    await expect.poll(() => world.taken()).toEqual([one.id]);
    expect(await world.settle([ended(one)])).toEqual(["succeeded"]);
    expect(await world.status(one.id)).toBe("succeeded");
    await world.restart();
    expect(await world.status(one.id)).toBe("succeeded");
    expect(await world.alarmAt()).toBeGreaterThan(0);
    expect(await world.ring()).toBe(true);
  });
});

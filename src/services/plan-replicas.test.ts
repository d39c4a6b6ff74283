import { describe, expect, test } from "vitest";
import { planReplicas, type Known, type Move, type Wanted } from "./plan-replicas.ts";

const NAMES = ["n1", "n2", "n3", "n4", "n5", "n6"];
/** `a ready v1`, and `x3` after it for a set of three. */
function known(...lines: readonly string[]): Known[] {
  return lines.map((line) => {
    const [replica = "", phase, revision = "", count] = line.split(" ");
    return {
      replica,
      phase: phase as Known["phase"],
      revision: revision === "broken" ? "" : revision,
      count: Number(count?.slice(1) ?? 1),
    };
  });
}
function wanted(replicas: number, revision: string, more: Partial<Wanted> = {}): Wanted {
  return { replicas, revision, roll: "newest", unit: "replica", elsewhere: [], names: NAMES, ...more };
}
function say(move: Move): string {
  if (move.do !== "start") return `${move.do} ${move.replica}`;
  return `start ${move.replica} ${move.revision}${move.count === 1 ? "" : ` x${move.count}`}`;
}
const kept = { roll: "kept" } as const;
const both = { roll: "both" } as const;
const set = { unit: "set" } as const;
const movedSet = { ...set, elsewhere: ["a"] };

describe("planReplicas() begins", () => {
  test.each<[string, Known[], Wanted, string[]]>([
    ["nothing where nothing runs or is wanted", known(), wanted(0, "v1"), []],
    ["nothing where all is as wanted", known("a ready v1"), wanted(1, "v1"), []],
    ["all at once from cold", known(), wanted(3, "v1"), ["start n1 v1", "start n2 v1", "start n3 v1"]],
    ["nothing twice", known("a starting v1", "b starting v1"), wanted(2, "v1"), []],
    [
      "under names that are free",
      known("n1 ended v1", "n2 starting v1"),
      wanted(2, "v1"),
      ["start n3 v1", "forget n1"],
    ],
    ["no more than there are names", known(), wanted(3, "v1", { names: ["n1"] }), ["start n1 v1"]],
    ["to let it in once it is healthy", known("a candidate v1"), wanted(1, "v1"), ["admit a"]],
    ["to drain what is too much, the last first", known("a ready v1", "b ready v1"), wanted(1, "v1"), ["drain b"]],
    ["to drain all when none are wanted", known("a ready v1", "b ready v1"), wanted(0, "v1"), ["drain a", "drain b"]],
    ["to stop what drains", known("a draining v1"), wanted(0, "v1"), ["stop a"]],
    ["to stop what starts and is wanted no more", known("a starting v1"), wanted(0, "v1"), ["stop a"]],
    ["with the one that drains before a new one", known("a draining v1"), wanted(1, "v1"), ["undrain a"]],
    ["to replace one that has ended", known("a ended v1"), wanted(1, "v1"), ["start n1 v1", "forget a"]],
    ["with one more when it rolls", known("a ready v1", "b ready v1"), wanted(2, "v2"), ["start n1 v2"]],
    ["to drain an old one when the new one is ready", known("a ready v1", "b ready v2"), wanted(1, "v2"), ["drain a"]],
    ["no second one while the first starts", known("a ready v1", "b ready v1", "c starting v2"), wanted(2, "v2"), []],
    [
      "no second one while an old one is still there",
      known("a ready v1", "b stopping v1", "c ready v2"),
      wanted(2, "v2"),
      [],
    ],
    ["not with one that starts with what is old", known("a starting v1"), wanted(1, "v2"), ["start n1 v2", "stop a"]],
    ["a new one first where the last is broken", known("a ready broken"), wanted(1, "v1"), ["start n1 v1"]],
    ["to stop a broken one that drains", known("a draining broken", "b ready v1"), wanted(1, "v1"), ["stop a"]],
    ["nothing when it is to stay as it is", known("a ready v1"), wanted(1, "v2", kept), []],
    ["with the newest where none runs", known(), wanted(1, "v2", kept), ["start n1 v2"]],
    ["nothing new where some go on as they are", known("a ready v1"), wanted(2, "v2", kept), []],
    ["with the newest where only broken ones run", known("a ready broken"), wanted(1, "v2", kept), ["start n1 v2"]],
    [
      "with the newest where an older one only starts",
      known("a starting v1"),
      wanted(1, "v2", kept),
      ["start n1 v2", "stop a"],
    ],
    [
      "to drain a broken one that cannot be made again",
      known("a ready v1", "b ready broken"),
      wanted(2, "v2", kept),
      ["drain b"],
    ],
    [
      "to let in the candidate when the last is broken",
      known("a ready broken", "b candidate v2"),
      wanted(1, "v2", both),
      ["admit b"],
    ],
    ["with the old one again that drains", known("a draining v1"), wanted(1, "v2", kept), ["undrain a"]],
    ["nothing where all serve, whatever they run", known("a ready v1", "b ready v3"), wanted(2, "v2", kept), []],
    ["to drop what was beside it", known("a ready v1", "b candidate v2"), wanted(1, "v2", kept), ["stop b"]],
    ["one beside those that run", known("a ready v1", "b ready v1"), wanted(2, "v2", both), ["start n1 v2"]],
    ["nothing more once it is there", known("a ready v1", "b candidate v2"), wanted(1, "v2", both), []],
    ["no second one beside them", known("a ready v1", "b starting v2"), wanted(1, "v2", both), []],
    ["another beside them for a newer one", known("a ready v1", "b candidate v2"), wanted(1, "v3", both), ["stop b"]],
    ["as from cold where none runs", known(), wanted(1, "v2", both), ["start n1 v2"]],
    ["to let in the one beside them", known("a ready v1", "b candidate v2"), wanted(1, "v2"), ["admit b"]],
    ["a set once for all", known(), wanted(3, "v1", set), ["start n1 v1 x3"]],
    ["a set again for another count", known("a ready v1 x3"), wanted(5, "v1", set), ["start a v1 x5"]],
    ["a set again for another revision", known("a ready v1 x3"), wanted(3, "v2", set), ["start a v2 x3"]],
    ["a set again though it starts", known("a starting v1 x3"), wanted(3, "v2", set), ["start a v2 x3"]],
    ["a new set for one that has ended", known("a ended v1 x3"), wanted(3, "v1", set), ["start n1 v1 x3", "forget a"]],
    ["to drain a set", known("a ready v1 x3"), wanted(0, "v1", set), ["drain a"]],
    ["nothing with a set that is kept", known("a ready v1 x3"), wanted(5, "v2", { ...set, ...kept }), []],
    ["a second set beside the first", known("a ready v1 x3"), wanted(3, "v2", { ...set, ...both }), ["start n1 v2"]],
    [
      "to make the second set as large as the first",
      known("a ready v1 x3", "b candidate v2 x1"),
      wanted(3, "v2", set),
      ["start b v2 x3"],
    ],
    ["another set for one that is elsewhere", known("a ready v1 x3"), wanted(3, "v2", movedSet), ["start n1 v2 x3"]],
    [
      "to drain the set that is elsewhere when the other is ready",
      known("a ready v1 x3", "b ready v2 x3"),
      wanted(3, "v2", movedSet),
      ["drain a"],
    ],
    [
      "nothing with a set elsewhere that is kept",
      known("a ready v1 x3"),
      wanted(3, "v2", { ...movedSet, ...kept }),
      [],
    ],
    [
      "another set though two go elsewhere, for as long as that takes",
      known("a stopping v1 x3", "b stopping v1 x3"),
      wanted(3, "v2", { ...set, elsewhere: ["a", "b"] }),
      ["start n1 v2 x3"],
    ],
    ["no third set here while two of them go", known("a stopping v1 x3", "b stopping v1 x3"), wanted(3, "v2", set), []],
    [
      "one more though one that is elsewhere has not gone",
      known("a stopping v1", "b ready v1", "c ready v1"),
      wanted(2, "v2", { elsewhere: ["a"] }),
      ["start n1 v2"],
    ],
    ["to let in the second set", known("a ready v1 x3", "b candidate v2 x3"), wanted(3, "v2", set), ["admit b"]],
  ])("%s", (_what, replicas, want, expected) => {
    const { now } = planReplicas(replicas, want);
    expect(now.map(say)).toEqual(expected);
    expect(planReplicas(replicas, want).now).toEqual(now);
  });
});

test.each<[string, Known[], Wanted, string[]]>([
  ["nothing where nothing is to be done", known("a ready v1"), wanted(1, "v2", kept), []],
  [
    "a roll to its end",
    known("a ready v1"),
    wanted(1, "v2"),
    [
      "1. start n1 (v2)",
      "2. wait until n1 is healthy, after 1",
      "3. give n1 requests, after 2",
      "4. give a no more requests, after 3",
      "5. stop a once it has no requests, after 4",
      "6. wait until a is gone, after 5",
      "7. forget a, after 6",
    ],
  ],
])("its sentences say %s", (_what, replicas, wish, expected) => {
  expect(planReplicas(replicas, wish).sentences).toEqual(expected);
});

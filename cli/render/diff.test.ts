import { describe, expect, test } from "vitest";
import { renderDiff } from "./diff.ts";

const names = { before: "a", after: "b" };
const lines = (...numbers: (number | string)[]): string => numbers.map((n) => `${n}\n`).join("");

describe("renderDiff()", () => {
  test("is empty for equal texts", () => {
    expect(renderDiff("x\ny\n", "x\ny\n", names)).toBe("");
  });

  test.each([
    ["a changed line", lines(1, 2, 3), lines(1, "two", 3), "@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3"],
    ["an added file", "", lines("x"), "@@ -0,0 +1,1 @@\n+x"],
    ["a removed file", lines("x"), "", "@@ -1,1 +0,0 @@\n-x"],
    ["an added end", lines(1), lines(1, 2), "@@ -1,1 +1,2 @@\n 1\n+2"],
  ])("shows %s", (_, before, after, hunks) => {
    expect(renderDiff(before, after, names)).toBe(`--- a\n+++ b\n${hunks}`);
  });

  test("keeps three lines around a change, and far changes apart", () => {
    const before = Array.from({ length: 30 }, (_, index) => index);
    const after: (number | string)[] = [...before];
    after[5] = "five";
    after[25] = "twenty-five";
    const shown = renderDiff(lines(...before), lines(...after), names).split("\n");
    expect(shown.filter((line) => line.startsWith("@@"))).toEqual(["@@ -3,7 +3,7 @@", "@@ -23,7 +23,7 @@"]);
    expect(shown).toHaveLength(2 + 2 * 9);
  });

  test("finds the shortest change in the middle", () => {
    const shown = renderDiff(lines("a", "b", "c", "d"), lines("a", "c", "x", "d"), names);
    expect(shown).toBe("--- a\n+++ b\n@@ -1,4 +1,4 @@\n a\n-b\n c\n+x\n d");
  });
});

/** Expressions on the real runtime: no eval, no Buffer, a clock that stands still between events. */
import { describe, expect, it } from "vitest";
import { HOSTILE } from "../../src/expressions/_hostile.test-util.ts";
import { compileExpression } from "../../src/expressions/index.ts";

const EVENT = {
  action: "opened",
  issue: { number: 7, title: "It leaks", labels: [{ name: "bug" }, { name: "p1" }], body: "Since v1.20" },
  sender: { login: "ada" },
};

describe("evaluate() in workerd", () => {
  it.each<[source: string, result: unknown]>([
    [
      '{"id": "issue-" & issue.number, "labels": issue.labels.name, "urgent": "p1" in issue.labels.name, "by": sender.login}',
      { id: "issue-7", labels: ["bug", "p1"], urgent: true, by: "ada" },
    ],
    ["$match(issue.body, /v(\\d+)\\.(\\d+)/).groups", ["1", "20"]],
    ['$base64decode($base64encode("hällo"))', "hällo"],
    ["issue.labels^(>name).name", ["p1", "bug"]],
    ["$sort(issue.labels.name, function($a, $b){ $a < $b })", ["p1", "bug"]],
    ["($sum := function($n, $a){ $n = 0 ? $a : $sum($n - 1, $a + $n) }; $sum(2000, 0))", 2_001_000],
    ["$ ~> |issue|{}, ['body', 'labels']|", { ...EVENT, issue: { number: 7, title: "It leaks" } }],
    ['$fromMillis($toMillis("2026-03-01T00:00:00Z"), "[D] [MNn] [Y]")', "1 March 2026"],
  ])("answers %s", async (source, result) => {
    expect(await (await compileExpression(source)).evaluate(EVENT)).toEqual(result);
  });

  it.each(HOSTILE)(
    "ends $name with $code",
    async ({ source, input, code }) => {
      const ended = compileExpression(source).then((expression) => expression.evaluate(input ?? null));
      await expect(ended).rejects.toMatchObject({ code });
    },
    30_000,
  );
});

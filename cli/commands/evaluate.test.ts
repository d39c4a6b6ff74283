/** No platform is needed: what is tested is the command line, not the expressions. */
import { expect, test } from "vitest";
import { runOpctl } from "../testing/run-opctl.ts";

test("opctl evaluate prints what the expression makes of the event, as JSON", async () => {
  const words = ["evaluate", '{"city": address.city, "all": items[].sku}', "--input", "-"];
  const ran = await runOpctl(words, { input: '{"address":{"city":"London"},"items":[{"sku":"a"},{"sku":"b"}]}' });
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(ran.stdout)).toEqual({ city: "London", all: ["a", "b"] });
});

test.each([
  [["$eval('1')"], 1, "expression_invalid"],
  [["nothing", "--input", "{}"], 1, "expression_failed"],
  [["1", "--input", "{"], 2, "must be JSON"],
  [["@nowhere.jsonata"], 2, "@nowhere.jsonata"],
])("opctl evaluate %j exits %i and says %s", async (words, code, says) => {
  const ran = await runOpctl(["evaluate", ...words]);
  expect(ran).toMatchObject({ code, stdout: "" });
  expect(ran.stderr).toContain(says);
});

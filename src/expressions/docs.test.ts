/** docs/expressions.md, held to the code: its examples answer what stands there, its table has the limits in force. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../core/limits.ts";
import { compileExpression } from "./index.ts";

const page = readFileSync(new URL("../../docs/expressions.md", import.meta.url), "utf8");
const files = new Map([...page.matchAll(/```\w+ file=(\S+)\n(.*?)```/gs)].map(([, name, text]) => [name, text ?? ""]));
const examples = [...files.keys()].filter((name) => name?.endsWith(".jsonata")).map((name) => name?.slice(0, -8));

describe("docs/expressions.md", () => {
  it("has ten examples", () => {
    expect(examples).toHaveLength(10);
  });

  it.each(examples)("shows in %s what comes out", async (name) => {
    const expression = await compileExpression(files.get(`${name}.jsonata`) ?? "");
    const result = await expression.evaluate(JSON.parse(files.get("event.json") ?? ""));
    expect(result).toEqual(JSON.parse(files.get(`${name}.json`) ?? ""));
  });

  it.each(Object.entries(LIMITS).filter(([name]) => name.startsWith("expression") || /^json(Depth|Nodes)$/.test(name)))(
    "has the limit %s",
    (_name, limit) => {
      expect(page).toMatch(new RegExp(`^\\|.*\\| ${limit.toLocaleString("en-US")} +\\|$`, "m"));
    },
  );
});

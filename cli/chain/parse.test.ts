import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseChain } from "./parse.ts";

describe("parseChain()", () => {
  test.each([
    ["echo", [{ operation: "echo", args: {} }]],
    ["echo()", [{ operation: "echo", args: {} }]],
    [
      'echo(input_str="hi") | shout',
      [
        { operation: "echo", args: { input_str: "hi" } },
        { operation: "shout", args: {} },
      ],
    ],
    [
      "a@2(x=1,y=-2.5e3 , z=true,n=null)|b.c-d",
      [
        { operation: "a@2", args: { x: 1, y: -2500, z: true, n: null } },
        { operation: "b.c-d", args: {} },
      ],
    ],
    ["a(word=hi there='two words')", undefined],
    [
      "a(word=hi, two='two | words', esc='it\\'s')",
      [{ operation: "a", args: { word: "hi", two: "two | words", esc: "it's" } }],
    ],
    [
      'a(o={"k":["]",{"d":"}"}]}, l=[1, "|"])',
      [{ operation: "a", args: { o: { k: ["]", { d: "}" }] }, l: [1, "|"] } }],
    ],
    ["a(path=/tmp/x:y)", [{ operation: "a", args: { path: "/tmp/x:y" } }]],
  ])("reads %s", (text, steps) => {
    if (steps === undefined) expect(() => parseChain(text)).toThrow(SwitchyardError);
    else expect(parseChain(text)).toEqual(steps);
  });

  test.each([
    ["", 0, "the name of an operation"],
    ["echo |", 6, "the name of an operation"],
    ["Echo", 0, "the name of an operation"],
    ["echo(a=1 | b", 9, "`,` or `)`"],
    ["echo(a 1)", 7, "comes `=`"],
    ["echo(a=1, a=2)", 10, "given once"],
    ["echo(a=)", 7, "a value is"],
    ["echo(a={)", 7, "must close"],
    ["echo(a={x})", 7, "must be JSON"],
    ['echo(a="x)', 7, "double quote"],
    ["echo(a='x)", 7, "single quotes must end"],
    ["echo shout", 5, "`|` or the end"],
  ])("refuses %s with a caret at %i", (text, at, rule) => {
    const error = caught(() => parseChain(text));
    expect(error).toMatchObject({ code: "usage" });
    expect(error.message).toContain(rule);
    expect(error.hint?.split("\n")[1]).toBe(`${" ".repeat(at)}^`);
  });

  test("an argument named __proto__ is only an argument", () => {
    const [step] = parseChain("a(__proto__=1)");
    expect(Object.keys(step?.args ?? {})).toEqual(["__proto__"]);
  });
});

function caught(run: () => unknown): SwitchyardError {
  try {
    run();
  } catch (error) {
    return error as SwitchyardError;
  }
  throw new Error("nothing was thrown");
}

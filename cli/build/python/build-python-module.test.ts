/** Hints → types, read by the real python3. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { buildModule } from "../build-module.ts";

const folder = mkdtempSync(path.join(tmpdir(), "switchyard-python-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasPython = (() => {
  try {
    execFileSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]);
    return true;
  } catch {
    console.warn("SKIPPED: types from Python: python3 (3.11 or newer) is missing.");
    return false;
  }
})();

const HEADER = `import datetime, enum, uuid
from dataclasses import dataclass, field
from typing import *
`;

function build(source: string, wanted?: string) {
  const file = path.join(folder, "mine.py");
  writeFileSync(file, source);
  return buildModule(file, wanted);
}

const closed = (properties: object, required: string[]) => ({
  type: "object",
  properties,
  ...(required.length === 0 ? {} : { required }),
  additionalProperties: false,
});
const string = { type: "string" };
const integer = { type: "integer" };

describe.skipIf(!hasPython)("buildPythonModule()", () => {
  test.each<[hint: string, schema: unknown, declarations?: string, name?: string]>([
    ["str", string],
    ["int", integer],
    ["float", { type: "number" }],
    ["bool", { type: "boolean" }],
    ["None", { type: "null" }],
    ["Any", true],
    ["str | None", { type: ["string", "null"] }],
    ["Optional[int]", { type: ["integer", "null"] }],
    ["Union[int, list[str]]", { anyOf: [integer, { type: "array", items: string }] }],
    ['Literal["a"]', { type: "string", const: "a" }],
    ['Literal["a", "b"]', { type: "string", enum: ["a", "b"] }],
    ['Literal["a", 1, None]', { enum: ["a", 1, null] }],
    ["list[int]", { type: "array", items: integer }],
    ["dict[str, int]", { type: "object", additionalProperties: integer }],
    ["tuple[int, str]", { type: "array", prefixItems: [integer, string], items: false, minItems: 2, maxItems: 2 }],
    ["tuple[int, ...]", { type: "array", items: integer }],
    ["datetime.datetime", { type: "string", format: "date-time" }],
    ["datetime.date", { type: "string", format: "date" }],
    ["uuid.UUID", { type: "string", format: "uuid" }],
    ["Id", string, 'Id = NewType("Id", str)'],
    ['Annotated[int, "How many.", {"minimum": 1}]', { type: "integer", description: "How many.", minimum: 1 }],
    ["Colour", { type: "string", enum: ["r", "g"] }, 'class Colour(enum.Enum):\n  R = "r"\n  G = "g"', "colour"],
    [
      "EchoInput",
      {
        ...closed({ a: string, b: { ...integer, default: 3 }, c: { type: "array", items: string, default: [] } }, [
          "a",
        ]),
        description: "Says.",
      },
      '@dataclass\nclass EchoInput:\n  """Says."""\n  a: str\n  b: int = 3\n  c: list[str] = field(default_factory=list)',
      "echo_input",
    ],
    [
      "HTTPInfo",
      closed({ a: string, b: integer }, ["a"]),
      "class HTTPInfo(TypedDict):\n  a: str\n  b: NotRequired[int]",
      "http_info",
    ],
    [
      "Part",
      closed({ a: string, b: integer }, ["b"]),
      "class Part(TypedDict, total=False):\n  a: str\n  b: Required[int]",
      "part",
    ],
    [
      "Tree",
      {
        $ref: "#/$defs/Tree",
        $defs: { Tree: closed({ next: { anyOf: [{ $ref: "#/$defs/Tree" }, { type: "null" }] } }, ["next"]) },
      },
      '@dataclass\nclass Tree:\n  next: "Tree | None"',
      "tree",
    ],
  ])("reads %s", async (hint, schema, declarations = "", name) => {
    const { exports, warnings, language } = await build(
      `${HEADER}${declarations}\ndef f(input: ${hint}, ctx) -> ${hint}:\n  "Doc."\n  return input\n`,
    );
    const type = { ...(name === undefined ? {} : { name }), schema };
    expect(exports).toEqual({ f: { description: "Doc.", input: type, output: type } });
    expect(warnings).toHaveLength(hint === "Any" ? 2 : 0);
    expect(language).toBe("python");
  });

  test.each<[title: string, source: string, code: string, detail: RegExp]>([
    [
      "a set",
      "def f(x: set[str]) -> int: ...",
      "types_unreadable",
      /mine\.py:4: x is set\[str\]; JSON has no sets; write list/,
    ],
    ["a bare list", "def f(x: list) -> int: ...", "types_unreadable", /x is list; write list\[\.\.\.\]/],
    ["keys that are no text", "def f(x: dict[int, str]) -> int: ...", "types_unreadable", /keys that are not text/],
    [
      "a deep place",
      "@dataclass\nclass A:\n  b: list[bytes]\ndef f(x: A) -> int: ...",
      "types_unreadable",
      /A\.b\[\] is bytes/,
    ],
    ["no hint", "def f(x) -> int: ...", "types_unreadable", /"x" has no hint; write f\(x: SomeInput\)/],
    ["no return hint", "def f(x: int): ...", "types_unreadable", /does not say what it returns/],
    ["too many parameters", "def f(a: int, b, c) -> int: ...", "types_unreadable", /handler\(input, ctx\)/],
    ["an unknown name", 'def f(a: "Nope") -> int: ...', "types_unreadable", /Nope/],
    ["a generator", "def f(a: int) -> int:\n  yield 1", "types_unreadable", /it yields/],
    [
      "a local import",
      "from .other import x\ndef f(a: int) -> int: ...",
      "bundle_failed",
      /mine\.py:4 imports \.other/,
    ],
    ["a package", "def f(a: int) -> int:\n  import numpy.linalg", "bundle_failed", /imports numpy\.linalg/],
    ["what is no Python", "def f(:", "bundle_failed", /mine\.py:4/],
    ["a top level that fails", "1 / 0\ndef f(a: int) -> int: ...", "bundle_failed", /ZeroDivisionError/],
    ["no function", "x = 1", "usage", /it has none/],
    ["a choice", "def f(a: int) -> int: ...\ndef g(a: int) -> int: ...", "usage", /it has f, g/],
  ])("refuses %s", async (_title, source, code, detail) => {
    await expect(build(HEADER + source)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(detail) as string,
    });
  });

  test("leaves out functions without hints that were not asked for", async () => {
    const { exports } = await build("def helper(x):\n  return x\ndef f(a: int) -> int:\n  return helper(a)\n", "f");
    expect(Object.keys(exports)).toEqual(["f"]);
  });

  test("finds in examples/word_count.py the very types of examples/word-count.ts", async () => {
    const python = await buildModule("examples/word_count.py");
    const typescript = await buildModule("examples/word-count.ts");
    expect(python.exports["word_count"]).toEqual(typescript.exports["wordCount"]);
  }, 30_000);
});

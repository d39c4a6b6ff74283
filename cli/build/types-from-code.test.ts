import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { testFolder, type TestFolder } from "./_test-folder.ts";
import { typesFromCode, type CodeTypes } from "./types-from-code.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

type Case = [title: string, declarations: string, annotation: string, schema: unknown, name?: string];

const closed = (properties: object, required: string[] = Object.keys(properties)): object => ({
  type: "object",
  properties,
  ...(required.length === 0 ? {} : { required }),
  additionalProperties: false,
});
const string = { type: "string" };
const number = { type: "number" };

const READABLE: Case[] = [
  [
    "an interface, which is closed",
    "interface A1 { x: string; y?: number }",
    "A1",
    closed({ x: string, y: number }, ["x"]),
    "a1",
  ],
  ["an alias", "type A2 = { x: string }", "A2", closed({ x: string }), "a2"],
  [
    "an exported interface, whose name follows the code",
    "export interface EchoOutput2 { x: string }",
    "EchoOutput2",
    closed({ x: string }),
    "echo_output2",
  ],
  [
    "an acronym in a name",
    "interface HTTPRequest { url: string }",
    "HTTPRequest",
    closed({ url: string }),
    "http_request",
  ],
  ["an inline object, which has no name", "", "{ x: string }", closed({ x: string })],
  [
    "an array, which has no name",
    "interface A3 { x: string }",
    "A3[]",
    { type: "array", items: { $ref: "#/$defs/A3" }, $defs: { A3: closed({ x: string }) } },
  ],
  ["a primitive", "", "string", string],
  ["an alias of a primitive", "type Id = string", "Id", string, "id"],
  ["a union of literals", "", '"a" | "b" | 3', { type: ["string", "number"], enum: ["a", "b", 3] }],
  ["a union with null", "", "string | null", { type: ["string", "null"] }],
  [
    "a discriminated union",
    'type A4 = { kind: "a"; x: string } | { kind: "b"; y: number }',
    "A4",
    {
      anyOf: [
        closed({ kind: { type: "string", const: "a" }, x: string }),
        closed({ kind: { type: "string", const: "b" }, y: number }),
      ],
    },
    "a4",
  ],
  [
    "a tuple, which is closed",
    "",
    "[string, number]",
    { type: "array", prefixItems: [string, number], items: false, minItems: 2, maxItems: 2 },
  ],
  [
    "a tuple with an optional item",
    "",
    "[string, number?]",
    { type: "array", prefixItems: [string, number], items: false, minItems: 1, maxItems: 2 },
  ],
  [
    "a tuple with a rest",
    "",
    "[string, ...number[]]",
    { type: "array", prefixItems: [string], items: number, minItems: 1 },
  ],
  ["an empty tuple", "", "{ x: [] }", closed({ x: { type: "array", minItems: 0, maxItems: 0 } })],
  [
    "a nested object",
    "",
    "{ a: { b: { c: boolean } } }",
    closed({ a: closed({ b: closed({ c: { type: "boolean" } }) }) }),
  ],
  [
    "a resolved generic",
    "interface Page<T> { items: T[] }",
    "Page<string>",
    closed({ items: { type: "array", items: string } }),
  ],
  [
    "a shared type, once in $defs",
    "interface A5 { x: string }",
    "{ p: A5; q: A5 }",
    { ...closed({ p: { $ref: "#/$defs/A5" }, q: { $ref: "#/$defs/A5" } }), $defs: { A5: closed({ x: string }) } },
  ],
  [
    "a recursive type",
    "interface Tree { value: number; children: Tree[] }",
    "Tree",
    {
      $ref: "#/$defs/Tree",
      $defs: { Tree: closed({ value: number, children: { type: "array", items: { $ref: "#/$defs/Tree" } } }) },
    },
    "tree",
  ],
  ["an intersection", "", "{ a: string } & { b: number }", closed({ a: string, b: number })],
  [
    "an extended interface",
    "interface A6 { x: string } interface A7 extends A6 { y: number }",
    "A7",
    closed({ x: string, y: number }),
    "a7",
  ],
  [
    "Partial and Pick",
    "interface A8 { x: string; y: number; z: boolean }",
    'Partial<Pick<A8, "x" | "y">>',
    closed({ x: string, y: number }, []),
  ],
  ["Omit", "interface A10 { x: string; y: number }", 'Omit<A10, "x">', closed({ y: number })],
  ["a Record, which is open", "", "Record<string, number>", { type: "object", additionalProperties: number }],
  [
    "an index signature",
    "",
    "{ [key: string]: boolean }",
    { type: "object", additionalProperties: { type: "boolean" } },
  ],
  [
    "an enum",
    'enum Colour { Red = "red", Blue = "blue" }',
    "Colour",
    { type: "string", enum: ["red", "blue"] },
    "colour",
  ],
  [
    "typeof a constant",
    'const MODES = ["fast", "slow"] as const',
    "(typeof MODES)[number]",
    { type: "string", enum: ["fast", "slow"] },
  ],
  ["keyof a type", "interface A9 { x: string; y: string }", "keyof A9", { type: "string", enum: ["x", "y"] }],
  [
    "bounds in doc comments",
    `interface B1 {
    /** How many.
     * @minimum 1
     * @maximum 9
     * @asType integer
     * @default 3 */
    n?: number;
    /** @minLength 1
     * @maxLength 5
     * @pattern ^[a-z]+$ */
    s: string;
    /** @format email */
    e: string;
    /** @minItems 1
     * @uniqueItems true */
    l: string[];
    /** @exclusiveMinimum 0
     * @multipleOf 0.5 */
    m: number;
  }`,
    "B1",
    closed(
      {
        n: { type: "integer", description: "How many.", minimum: 1, maximum: 9, default: 3 },
        s: { type: "string", minLength: 1, maxLength: 5, pattern: "^[a-z]+$" },
        e: { type: "string", format: "email" },
        l: { type: "array", items: string, minItems: 1, uniqueItems: true },
        m: { type: "number", exclusiveMinimum: 0, multipleOf: 0.5 },
      },
      ["s", "e", "l", "m"],
    ),
    "b1",
  ],
  [
    "a description of a type",
    "/** What it is. */ interface B2 { x: string }",
    "B2",
    { ...closed({ x: string }), description: "What it is." },
    "b2",
  ],
  ["an imported type", "", "Imported", closed({ x: string }), "imported"],
  ["a type imported under another name, by its own name", "", "Renamed", closed({ z: number }), "original"],
];

const REFUSED: [title: string, declarations: string, annotation: string, reason: RegExp][] = [
  ["ReturnType", "function make() { return { q: 1 }; }", "ReturnType<typeof make>", /function's type/],
  ["Parameters", "function take(x: string) { return x; }", "Parameters<typeof take>[0]", /function's type/],
  ["a function", "", "{ f: () => void }", /function's type/],
  ["a type that is not there", "", "Nowhere", /Nowhere/],
  ["an import from a missing file", "", "Missing", /not known there/],
  [
    "an import from a missing file, deep inside",
    "",
    "{ a: { m: Missing }[] }",
    /"\/properties\/a\/items\/properties\/m"/,
  ],
  ["an import from a missing package", "", "External", /not known there/],
  ["a Map", "", "Map<string, number>", /Map has methods/],
  ["a Set inside", "", "{ s: Set<string> }", /Set has methods/],
  ["bytes", "", "Uint8Array", /Uint8Array has methods/],
  ["a class with methods", "class C1 { x = 1; go() {} }", "C1", /C1 has methods \(go\)/],
  ["a bigint", "", "{ n: bigint }", /no bigint/],
  ["a symbol", "", "symbol", /no symbols/],
  ["a RegExp", "", "RegExp", /arrives as a string/],
  ["nothing", "", "void", /answer null/],
  ["undefined", "", "undefined", /use null/],
  ["never", "", "never", /use null/],
];

const HEADER = `
import type { Imported } from "./other.ts";
import type { Original as Renamed } from "./other.ts";
import type { Missing } from "./not-there.ts";
import type { External } from "not-a-package";
`;

let folder: TestFolder;
let table: CodeTypes;
let forms: CodeTypes;

beforeAll(() => {
  const functions = [...READABLE, ...REFUSED].map(
    ([, declarations, annotation], index) =>
      `${declarations}\nexport function case${index}(input: ${annotation}): Promise<${annotation}> { throw input; }`,
  );
  folder = testFolder({
    "table.ts": HEADER + functions.join("\n"),
    "other.ts":
      "export interface Imported { x: string }\nexport interface Original { z: number }\nexport const far = (input: Imported): Imported => input;",
    "forms.ts": FORMS,
    "plain.js": "export function plain(input) { return input; }",
  });
  table = typesFromCode(folder.file("table.ts"));
  forms = typesFromCode(folder.file("forms.ts"));
});
afterAll(() => folder[Symbol.dispose]());

describe("typesFromCode()", () => {
  test.for(READABLE.map(([title, , , schema, name], index) => ({ title, index, schema, name })))(
    "reads $title",
    ({ index, schema, name }) => {
      const handler = table.handlers.get(`case${index}`);
      const type = name === undefined ? { schema } : { name, schema };
      expect(handler?.input).toEqual({ kind: "type", type, warnings: [] });
      expect(handler?.output, "the same behind Promise<…>").toEqual({ kind: "type", type, warnings: [] });
    },
  );

  test.for(REFUSED.map(([title, , , reason], index) => ({ title, index, reason })))(
    "refuses $title",
    ({ index, reason }) => {
      const handler = table.handlers.get(`case${READABLE.length + index}`);
      for (const side of [handler?.input, handler?.output]) {
        expect(side).toMatchObject({ kind: "unreadable", place: expect.stringMatching(/table\.ts:\d+:\d+$/) });
        expect(side).toHaveProperty("reason", expect.stringMatching(reason));
      }
    },
  );
});

const FORMS = `/** What the file is about. */

interface In { x: string }
interface Out { y: number }
/** Declared. */
export function declared(input: In): Out { throw input; }
export async function asynchronous(input: In): Promise<Out> { throw input; }
export const arrow = (input: In): Out => { throw input; };
export const satisfied = ((input: In): Out => { throw input; }) satisfies Function;
export const typed: (input: In) => Out = (input) => { throw input; };
export default function (input: In): Out { throw input; }
export { far } from "./other.ts";
export { far as renamed } from "./other.ts";
function hidden(input: In): Out { throw input; }
export { hidden as shown };
export function destructured({ x }: In, ctx: unknown): Out { throw [x, ctx]; }
export function silent(input) { return input; }
export function half(input: In) { return input; }
export function inputless(): Out { return { y: 1 }; }
export function written(input: { a: any; b: unknown[] }): any { return input; }
export function dated(input: { at: Date }): { at: Date } { return input; }
export function generic<T>(input: T): T { return input; }
export function overloaded(input: string): string;
export function overloaded(input: number): number;
export function overloaded(input: unknown): never { throw input; }
export function rest(...input: In[]): Out { throw input; }
export const value = 3;
export class Thing { x = 1; }
export type OnlyAType = string;
`;

test("typesFromCode() names nameless types alike wherever they are written", () => {
  const code =
    "interface Page<T> { items: T[]; next?: Page<T> }\nexport function f(i: { a: Page<{ x: 1 }>; b: Page<{ y: 1 }> }): null { throw i; }";
  folder.write({ "here.ts": code, "elsewhere/there.ts": `// Further down.\n\n${code}` });
  const here = typesFromCode(folder.file("here.ts")).handlers.get("f")?.input;
  expect(here).toHaveProperty("type.schema.$defs", {
    Page_structure: expect.anything(),
    Page_structure_2: expect.anything(),
  });
  expect(typesFromCode(folder.file("elsewhere/there.ts")).handlers.get("f")?.input).toEqual(here);
});

describe("typesFromCode() on the forms a handler can take", () => {
  const input = { kind: "type", type: { name: "in", schema: closed({ x: string }) }, warnings: [] };
  const output = { kind: "type", type: { name: "out", schema: closed({ y: number }) }, warnings: [] };

  test.for(["declared", "asynchronous", "arrow", "satisfied", "typed", "default", "shown", "destructured"])(
    "reads %s",
    (name) => {
      expect(forms.handlers.get(name)).toMatchObject({ input, output });
    },
  );

  test("follows a re-export to the file that declares it", () => {
    for (const name of ["far", "renamed"]) {
      expect(forms.handlers.get(name)?.input).toMatchObject({
        type: { name: "imported", schema: closed({ x: string }) },
      });
    }
  });

  test("takes the description from the handler, and not from the file's own comment", () => {
    expect(forms.handlers.get("declared")?.description).toBe("Declared.");
    expect(forms.handlers.get("declared")?.input).toEqual(input);
  });

  test("says where nothing is annotated", () => {
    expect(forms.handlers.get("silent")).toMatchObject({
      input: { kind: "silent", place: expect.stringMatching(/forms\.ts:17:1$/) },
      output: { kind: "silent" },
    });
    expect(forms.handlers.get("half")).toMatchObject({ input, output: { kind: "silent" } });
  });

  test("gives a handler without a parameter any input, without a warning", () => {
    expect(forms.handlers.get("inputless")).toMatchObject({
      input: { kind: "type", type: { schema: true }, warnings: [] },
      output,
    });
  });

  test("keeps an any or unknown that was written, with a warning that names it", () => {
    const { input: written, output: any } = forms.handlers.get("written") ?? {};
    expect(written).toMatchObject({
      type: { schema: closed({ a: {}, b: { type: "array", items: {} } }) },
      warnings: [expect.stringContaining('"/properties/a"'), expect.stringContaining('"/properties/b/items"')],
    });
    expect(any).toMatchObject({ type: { schema: true }, warnings: [expect.stringMatching(/forms\.ts:20:\d+: "\/"/)] });
  });

  test("reads a Date as a date-time, and warns where a handler would get text instead", () => {
    const type = { schema: closed({ at: { type: "string", format: "date-time" } }) };
    expect(forms.handlers.get("dated")).toMatchObject({
      input: { type, warnings: [expect.stringContaining('"/properties/at" is a Date')] },
      output: { type, warnings: [] },
    });
  });

  test.for([
    ["generic", /type parameters/],
    ["overloaded", /overloads/],
    ["rest", /rest parameter/],
  ] as const)("refuses a handler that is %s", ([name, reason]) => {
    expect(forms.handlers.get(name)?.input).toMatchObject({
      kind: "unreadable",
      reason: expect.stringMatching(reason),
    });
  });

  test("tells values from handlers, and leaves classes and types out", () => {
    expect(forms.values).toEqual(["value"]);
    expect([...forms.handlers.keys()]).not.toContain("Thing");
    expect([...forms.handlers.keys()]).not.toContain("OnlyAType");
  });

  test("finds the handlers of a JavaScript file, which say nothing", () => {
    expect(typesFromCode(folder.file("plain.js")).handlers.get("plain")).toMatchObject({ input: { kind: "silent" } });
  });
});

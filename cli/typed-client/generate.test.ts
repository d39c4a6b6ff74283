/** Generated files, compiled by TypeScript as strictly as it can: awkward types, a good consumer and bad ones. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documentText } from "../../src/edge/openapi/document.ts";
import { pieceOf } from "../../src/edge/openapi/operation-item.ts";
import { ROUTES } from "../../src/edge/routes.ts";
import { compare } from "./compare.ts";
import { typedOperations, type Selection, type TypedOperations } from "./document.ts";
import { generateClient } from "./generate.ts";
import { parseHeader } from "./header.ts";

const exec = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, "../..");
const ALL: Selection = { groups: [], operations: [], all: false };

const TREE = {
  $ref: "#/$defs/node",
  $defs: {
    node: {
      type: "object",
      properties: { value: { type: "integer" }, children: { type: "array", items: { $ref: "#/$defs/node" } } },
      required: ["value"],
      additionalProperties: false,
    },
    "Record<string,number>": { type: "object", additionalProperties: { type: "number" } },
  },
};
const TYPES: Record<
  string,
  { input: unknown; output: unknown; isAsync?: boolean; batch?: boolean; group?: string; description?: string }
> = {
  echo: {
    description: "Says */ it back.\n`${x}`",
    input: {
      type: "object",
      properties: { input_str: { type: "string" } },
      required: ["input_str"],
      additionalProperties: false,
    },
    output: { type: "object", properties: { output_str: { type: "string" } }, required: ["output_str"] },
  },
  "a.b": { input: { enum: ["x", 1, null] }, output: { type: "boolean" } },
  "a-b": { input: true, output: false },
  a_b: { input: { type: ["string", "null"], default: "x" }, output: { const: { "a-b": [1, "two"] } } },
  tree: {
    input: TREE,
    output: { allOf: [{ $ref: "#/$defs/r" }], $defs: { r: { type: "object", additionalProperties: { $ref: "#" } } } },
  },
  loops: {
    input: { $ref: "#" },
    output: { anyOf: [{ $ref: "#/$defs/x" }, { type: "string" }], $defs: { x: { anyOf: [{ $ref: "#" }] } } },
  },
  tuple: {
    input: {
      type: "array",
      prefixItems: [{ type: "string" }, { type: "integer" }],
      items: { type: "boolean" },
      minItems: 1,
    },
    output: {
      type: "object",
      properties: { "with space": { const: 1 }, class: true },
      patternProperties: { "^x": { type: "null" } },
    },
  },
  choice: {
    input: {
      type: "object",
      properties: { kind: { type: "string" } },
      oneOf: [
        { properties: { a: { type: "string" } }, required: ["a"] },
        { properties: { b: { type: "number" } }, required: ["b"] },
      ],
    },
    output: { not: { type: "string" } },
  },
  later: { input: { type: "integer" }, output: { type: "string" }, isAsync: true },
  many: { input: { type: "string" }, output: { type: "integer" }, batch: true },
  identified: {
    input: { $id: "https://x.example/a", type: "object" },
    output: { $dynamicRef: "#a", $dynamicAnchor: "a" },
  },
  builtin_one: { input: true, output: true, group: "registry" },
};

async function read(types: typeof TYPES, selection: Selection = ALL): Promise<TypedOperations> {
  const pieces = Object.entries(types).map(([name, { input, output, ...more }]) =>
    pieceOf({
      description: "",
      group: "demo",
      isAsync: false,
      batch: false,
      ...more,
      name,
      revision: 1,
      path: null,
      annotations: null,
      examples: [],
      input: JSON.stringify(input),
      output: JSON.stringify(output),
    }),
  );
  const text = documentText(pieces, { version: "1", server: "x", nextCursor: null, routes: ROUTES });
  return typedOperations(JSON.parse(text) as never, selection);
}

const named = async (selection: Partial<Selection>): Promise<string[]> =>
  (await read(TYPES, { ...ALL, ...selection })).operations.map(({ name }) => name);

const GOOD = `
import { createClient, OperationError, type Answer, type Input } from "./ops.ts";
const client = createClient({ url: "http://127.0.0.1:1", token: "t" });
const said: string = (await client.call("echo", { input_str: "hi" })).output_str;
const yes: boolean = await client.call("a.b", null);
const two: [1, "two"] = (await client.call("a_b", "x"))["a-b"];
const tree: Input<"tree"> = { value: 1, children: [{ value: 2, children: [] }] };
await client.call("tree", tree, { idempotencyKey: "k", signal: AbortSignal.timeout(1) });
await client.call("tuple", ["a", 1, true, false]);
await client.call("choice", { kind: "x", a: "y" });
const accepted = await client.call("later", 7);
const text: string = await client.wait(accepted);
const any: unknown = await client.wait("ex_1");
const started: string = (await client.wait(await client.start("echo", { input_str: "x" }))).output_str;
for (const outcome of await client.call("many", ["a", "b"])) {
  if (outcome.ok) { const n: number = outcome.output; console.log(n); } else console.log(outcome.error);
}
try { await client.call("a-b", { anything: [1] }); }
catch (error) {
  if (error instanceof OperationError && error.code === "input_invalid") console.log(error.errors[0]?.pointer, error.status);
}
export const answer: Answer<"later"> = { execution_id: "ex_1" };
console.log(said, yes, two, text, any, started);
`;
const BAD = [
  'await client.call("ecko", { input_str: "hi" });',
  'await client.call("echo", { input_str: 1 });',
  'await client.call("echo", {});',
  'await client.call("echo", { input_str: "hi", input_st: "x" });',
  'const n: number = (await client.call("echo", { input_str: "hi" })).output_str;',
  'await client.call("a.b", "y");',
  'await client.call("tree", { value: 1, children: [{ value: "2" }] });',
  'await client.call("tuple", [1]);',
  'await client.call("choice", { kind: "x" });',
  'const s: string = await client.call("later", 7);',
  'const x: number = await client.wait(await client.call("later", 7));',
  'await client.call("many", "a");',
];

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "sy-client-"));
  writeFileSync(path.join(folder, "ops.ts"), generateClient(await read(TYPES), ALL));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Lines of `file` that TypeScript finds fault with, and what it says. */
async function compile(file: string, text: string): Promise<string[]> {
  writeFileSync(path.join(folder, file), text);
  const flags =
    "--noEmit --strict --target es2022 --module esnext --moduleResolution bundler --isolatedModules --verbatimModuleSyntax --erasableSyntaxOnly --exactOptionalPropertyTypes --noUncheckedIndexedAccess --noImplicitOverride --noUnusedLocals --noUnusedParameters --noPropertyAccessFromIndexSignature --allowImportingTsExtensions --skipLibCheck --lib es2022,dom";
  const tsc = path.join(ROOT, "node_modules/typescript/bin/tsc");
  const types = ["--types", ""];
  try {
    await exec(process.execPath, [tsc, ...flags.split(" "), ...types, file], { cwd: folder });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    return stdout.split("\n").filter((line) => line.includes(": error "));
  }
}

describe("generateClient()", () => {
  it("makes a file that the strictest TypeScript takes, and a consumer of it", { timeout: 60_000 }, async () => {
    expect(await compile("good.ts", GOOD)).toEqual([]);
  });

  it("makes a file with which wrong calls do not compile", { timeout: 60_000 }, async () => {
    const text = [
      'import { createClient } from "./ops.ts";',
      'const client = createClient({ url: "", token: "" });',
      ...BAD.map((line) => `{ ${line} }`),
    ];
    const errors = await compile("bad.ts", text.join("\n"));
    const lines = new Set(errors.map((error) => Number(/bad\.ts\((\d+),/.exec(error)?.[1])));
    const silent = BAD.filter((_line, place) => !lines.has(place + 3));
    expect([silent, errors.filter((error) => !error.startsWith("bad.ts"))]).toEqual([[], []]);
  });

  it("says the same of the same operations, and gives each type a name of its own", async () => {
    const text = generateClient(await read(TYPES), ALL);
    expect(generateClient(await read(Object.fromEntries(Object.entries(TYPES).toReversed())), ALL)).toBe(text);
    const names = [...text.matchAll(/^export type (\w+)/gm)].map((match) => match[1]);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(["ABInput", "ABInput2", "ABInput3"]));
  });

  it("leaves out the platform's own unless asked, and takes a group or names", async () => {
    expect(await named({})).not.toContain("builtin_one");
    expect(await named({ all: true })).toContain("builtin_one");
    expect(await named({ groups: ["registry"] })).toEqual(["builtin_one"]);
    expect(await named({ operations: ["tree", "builtin_one"] })).toEqual(["builtin_one", "tree"]);
    await expect(named({ operations: ["none"] })).rejects.toMatchObject({ code: "operation_not_found" });
    await expect(named({ groups: ["registry", "none"] })).rejects.toMatchObject({
      code: "operation_not_found",
      message: expect.stringContaining('the group "none"') as string,
    });
  });
});

describe("the header of a generated file", () => {
  it("tells what has changed since, also after a formatter went over it", async () => {
    const before = await read(TYPES);
    const file = generateClient(before, ALL).replaceAll("\n", "\r\n  ");
    const header = parseHeader(file, "ops.ts");
    expect([header.selection, header.digest]).toEqual([ALL, before.digest]);
    expect(compare(header, before.operations)).toEqual([]);
    const identified = { input: { $id: "https://x.example/b", type: "object" }, output: TYPES["identified"]?.output };
    expect(compare(header, (await read({ ...TYPES, identified })).operations)).toEqual([
      { operation: "identified", change: "changed" },
    ]);
    const { echo, tuple: _gone, ...rest } = TYPES;
    const tree = {
      ...rest["tree"],
      input: { ...TREE, $defs: { node: { ...TREE.$defs.node, required: [] } } },
      output: true,
    };
    const after = await read({
      ...rest,
      tree,
      echo: { ...echo, input: true, output: true },
      fresh: { input: true, output: true },
    });
    expect(compare(header, after.operations)).toEqual([
      { operation: "echo", change: "changed" },
      { operation: "fresh", change: "new" },
      { operation: "tree", change: "changed" },
      { operation: "tuple", change: "gone" },
    ]);
  });

  it("is asked for", () => {
    expect(() => parseHeader("export {};", "x.ts")).toThrow(/must be a file that opctl wrote/);
    expect(() => parseHeader("// @switchyard {}", "x.ts")).toThrow(/must be a file that opctl wrote/);
  });
});

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as v from "valibot";
import { ModuleSchema } from "../../src/model/entities.ts";
import { testFolder, type TestFolder } from "./_test-folder.ts";
import { standardSchemas } from "./standard-schemas.ts";
import { buildModule, type BuiltModule } from "./build-module.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const FILES = {
  "schemas.ts": `
    import * as v from "valibot";
    import { z } from "zod";
    import { type } from "arktype";
    console.log("printing does no harm");
    export const input = v.object({ n: v.pipe(v.number(), v.integer(), v.minValue(1)), s: v.optional(v.string(), "x") });
    export const output = z.object({ a: z.string(), b: z.number().optional() });
    export const arkInput = type({ name: "string", "age?": "number > 0" });
    export const ark_output = type("string[]");
    export const notASchema = { type: "string" };
    export const Point = type({ x: "number > 0", "y?": "string" });
    export type PointOut = typeof Point.infer;
    export function viaAlias(input: PointOut): Promise<PointOut> { throw input; }
    interface In { x: string }
    export function silent(input) { return input; }
    export function inferred(input: v.InferOutput<typeof input>): z.infer<typeof output> { throw input; }
    export function annotated(input: In): In { return input; }
    export function ark(input) { return input; }
  `,
  "limits.ts": `
    import * as v from "valibot";
    export const brokenOutput = v.pipe(v.string(), v.transform(Number));
    export const looseInput = v.any();
    interface In { x: string }
    export function broken(input: In) { return input; }
    export function loose(input): In { return input; }
  `,
  "several.ts": `
    export function one(input: { x: string }): { y: string } { throw input; }
    export function bad(input: Map<string, string>): null { throw input; }
    export function bare(input) { return input; }
    export const constant = 3;
  `,
  "default.ts":
    "export default function (input: { x: string }): null { throw input; }\nexport function other(): null { return null; }",
  "only.ts": "export const onlyOne = (input: { x: string }): null => { throw input; };",
  "none.ts": "export const constant = 3;",
  "hangs.ts":
    "export const input = {}; await new Promise((resolve) => setTimeout(resolve, 60_000)); export function f(i) {}",
  "throws.ts": 'export const input = {}; throw new TypeError("no such thing"); export function f(i) {}',
};

let folder: TestFolder;
let schemas: BuiltModule;
beforeAll(async () => {
  folder = testFolder(FILES);
  schemas = await buildModule(folder.file("schemas.ts"), "silent");
}, 30_000);
afterAll(() => folder[Symbol.dispose]());

const fileInput = {
  type: "object",
  properties: { n: { type: "integer", minimum: 1 }, s: { type: "string", default: "x" } },
  required: ["n"],
};
const fileOutput = {
  type: "object",
  properties: { a: { type: "string" }, b: { type: "number" } },
  required: ["a"],
  additionalProperties: false,
};

test("buildModule() gives handlers without annotations the file's input and output schemas (valibot, zod)", () => {
  expect(schemas.exports["silent"]).toEqual({
    description: "",
    input: { schema: fileInput },
    output: { schema: fileOutput },
  });
});

test("buildModule() takes the schemas for annotations that are inferred from them", () => {
  expect(schemas.exports["inferred"]).toEqual({
    description: "",
    input: { schema: fileInput },
    output: { schema: fileOutput },
  });
});

test("buildModule() takes the schema that an alias is inferred from, and its name", () => {
  const type = {
    name: "point",
    schema: expect.objectContaining({
      properties: expect.objectContaining({ x: { type: "number", exclusiveMinimum: 0 } }),
    }),
  };
  expect(schemas.exports["viaAlias"]).toEqual({ description: "", input: type, output: type });
});

test("buildModule() takes an annotation before the file's schemas", () => {
  expect(schemas.exports["annotated"]?.input).toMatchObject({
    name: "in",
    schema: { properties: { x: { type: "string" } } },
  });
});

test("buildModule() gives a handler the schemas that carry its name (arktype)", () => {
  expect(schemas.exports["ark"]).toMatchObject({
    input: {
      name: "ark_input",
      schema: {
        properties: { name: { type: "string" }, age: { type: "number", exclusiveMinimum: 0 } },
        required: ["name"],
      },
    },
    output: { name: "ark_output", schema: { type: "array", items: { type: "string" } } },
  });
});

test("buildModule() refuses the deployed export when its schema has no JSON form", async () => {
  await expect(buildModule(folder.file("limits.ts"), "broken")).rejects.toMatchObject({
    code: "types_unreadable",
    message: expect.stringMatching(/output type of "broken".*"brokenOutput".*transform/),
  });
});

test("buildModule() makes a schema that accepts anything the type any, with a warning", async () => {
  const { exports, warnings } = await buildModule(folder.file("limits.ts"), "loose");
  expect(exports["loose"]?.input).toEqual({ schema: true });
  expect(warnings).toContainEqual(expect.stringMatching(/"looseInput" accepts anything/));
  expect(warnings, "another export's schema").toContainEqual(
    expect.stringMatching(/"broken" is left out.*brokenOutput.*transform/),
  );
  expect(exports).not.toHaveProperty("broken");
});

test("buildModule() warns about a deployed handler that says nothing, and tells how to type it", async () => {
  const { exports, warnings } = await buildModule(folder.file("several.ts"), "bare");
  expect(exports["bare"]).toMatchObject({ input: { schema: true }, output: { schema: true } });
  expect(warnings).toContainEqual(
    expect.stringMatching(/several\.ts:4:5: the input of "bare" has no type.*bare\(input: /),
  );
  expect(warnings).toContainEqual(expect.stringMatching(/the output of "bare" has no type/));
});

test("buildModule() leaves out another export that cannot be read, with a warning, and keeps the rest", async () => {
  const { exports, warnings } = await buildModule(folder.file("several.ts"), "one");
  expect(Object.keys(exports).toSorted()).toEqual(["bare", "one"]);
  expect(warnings).toEqual([expect.stringMatching(/"bad" is left out.*Map has methods/)]);
});

test("buildModule() refuses the deployed export when it cannot be read, naming place and remedy", async () => {
  const failure = buildModule(folder.file("several.ts"), "bad");
  await expect(failure).rejects.toMatchObject({
    code: "types_unreadable",
    message: expect.stringMatching(/input type of "bad".*several\.ts:3:32.*Map has methods/),
    hint: expect.stringContaining("badInput"),
  });
});

test.for([
  ["the default export", "default.ts", "default"],
  ["the only handler", "only.ts", "onlyOne"],
] as const)("buildModule() takes %s when none is named", async ([, file, name]) => {
  expect((await buildModule(folder.file(file))).export).toBe(name);
});

test.for([
  [
    "a file with several handlers when none is named",
    "several.ts",
    undefined,
    /it exports (?=.*one)(?=.*bad)(?=.*bare)/,
  ],
  ["an export that is not there", "several.ts", "onee", /several\.ts#onee.*it exports (?=.*one)/],
  ["an export that is no function", "several.ts", "constant", /several\.ts#constant/],
  ["a file without handlers", "none.ts", undefined, /must export a function; it exports constant/],
] as const)("buildModule() refuses %s", async ([, file, name, message]) => {
  await expect(buildModule(folder.file(file), name)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(message),
  });
});

test("buildModule() says why a file with schemas does not load", async () => {
  await expect(buildModule(folder.file("throws.ts"), "f")).rejects.toMatchObject({
    code: "types_unreadable",
    message: expect.stringContaining("TypeError: no such thing"),
  });
});

test("standardSchemas() gives up on a file that does not finish loading", async () => {
  await expect(standardSchemas(folder.file("hangs.ts"), ["input"], 1_000)).rejects.toMatchObject({
    code: "types_unreadable",
    message: expect.stringContaining("did not finish loading within 1000 ms"),
  });
});

test("buildModule() answers what the registry takes as a module", () => {
  const manifest = { name: "schemas", sha256: schemas.bundle.sha256, exports: schemas.exports };
  expect(v.safeParse(ModuleSchema, manifest).issues).toBeUndefined();
});

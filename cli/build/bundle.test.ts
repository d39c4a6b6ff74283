import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { testFolder, type TestFolder } from "./_test-folder.ts";
import { bundle } from "./bundle.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const FILES = {
  "node_modules/half-node/package.json": '{"name":"half-node","type":"module","main":"index.js"}',
  "node_modules/half-node/index.js":
    'import fs from "fs"; import "node:path"; export const read = () => fs.readFileSync("x"); export const pure = () => 1;',
  "node_modules/cjs/package.json": '{"name":"cjs","main":"index.js"}',
  "node_modules/cjs/index.js": 'const crypto = require("crypto"); exports.id = () => crypto.randomUUID();',
  "node_modules/events/package.json": '{"name":"events","main":"index.js"}',
  "node_modules/events/index.js": "exports.EventEmitter = class { mine = true };",
  "node_modules/choosy/package.json": JSON.stringify({
    name: "choosy",
    exports: { ".": { workerd: "./worker.js", node: "./node.js", default: "./node.js" } },
  }),
  "node_modules/choosy/worker.js": 'export const kind = "worker";',
  "node_modules/choosy/node.js": 'export const kind = "node";',
  "lib/util.ts": 'export { read } from "half-node";',
  "deep.ts": 'import { read } from "./lib/util.ts"; export const handler = () => read();',
  "direct.ts": 'import { readFile } from "node:fs/promises"; export const handler = () => readFile("x");',
  "dynamic.ts": 'export const handler = () => import("node:fs");',
  "requires.ts": 'import { id } from "cjs"; export const handler = () => id();',
  "runtime.ts": 'import { env } from "cloudflare:workers"; export const handler = () => env;',
  "pure.ts":
    'import { pure } from "half-node"; export const a = () => pure(); export function b() {} export default () => 1;',
  "package-of-that-name.ts": 'import { EventEmitter } from "events"; export const handler = () => new EventEmitter();',
  "choosy.ts": 'import { kind } from "choosy"; export const handler = () => kind;',
  "syntax.ts": "export const a = 1;\nexport const b = = 2;\n",
  "missing.ts": 'import "not-installed"; export const a = 1;',
  "typo.ts": 'import { x } from "./nowhere.ts"; export const a = x;',
};

let folder: TestFolder;
beforeAll(() => {
  folder = testFolder(FILES);
});
afterAll(() => folder[Symbol.dispose]());

async function run(code: string): Promise<Record<string, (...args: unknown[]) => unknown>> {
  return import(`data:text/javascript,${encodeURIComponent(code)}`) as Promise<Record<string, () => unknown>>;
}

test.for([
  ["a built-in behind two files", "deep.ts", "deep.ts → lib/util.ts → node_modules/half-node/index.js → fs"],
  ["a built-in of its own", "direct.ts", "direct.ts → node:fs/promises"],
  ["a dynamic import of a built-in", "dynamic.ts", "dynamic.ts → node:fs"],
  ["a CommonJS package that requires a built-in", "requires.ts", "requires.ts → node_modules/cjs/index.js → crypto"],
  ["a module of one runtime", "runtime.ts", "runtime.ts → cloudflare:workers"],
] as const)("bundle() refuses %s and names the chain", async ([, file, chain]) => {
  const failure = bundle(folder.file(file));
  await expect(failure).rejects.toMatchObject({ code: "bundle_failed", message: expect.stringContaining(chain) });
  await expect(failure).rejects.toHaveProperty("hint", expect.stringMatching(/\w/));
});

test.for([
  ["a syntax error with its place", "syntax.ts", /syntax\.ts:2:18/],
  ["a package that is not installed", "missing.ts", /resolve "not-installed".*missing\.ts:1:8/],
  ["a file that is not there", "typo.ts", /resolve "\.\/nowhere\.ts".*typo\.ts:1:19/],
  ["an entry that is not there", "absent.ts", /absent\.ts": there must be such a file/],
] as const)("bundle() refuses %s", async ([, file, message]) => {
  await expect(bundle(folder.file(file))).rejects.toMatchObject({
    code: "bundle_failed",
    message: expect.stringMatching(message),
  });
});

test("bundle() keeps every export and drops built-ins that nothing reaches", async () => {
  const { code, exports } = await bundle(folder.file("pure.ts"));
  expect(exports.toSorted()).toEqual(["a", "b", "default"]);
  expect(code).not.toMatch(/\bfs\b|node:path/);
  const module = await run(code);
  expect(module["a"]?.()).toBe(1);
});

test("bundle() takes an installed package before the built-in of the same name", async () => {
  const module = await run((await bundle(folder.file("package-of-that-name.ts"))).code);
  expect(module["handler"]?.()).toMatchObject({ mine: true });
});

test("bundle() takes the half of a package that is made for workers", async () => {
  const module = await run((await bundle(folder.file("choosy.ts"))).code);
  expect(module["handler"]?.()).toBe("worker");
});

test("bundle() gives the same hash from the same sources in another folder", async () => {
  using elsewhere = testFolder({});
  mkdirSync(elsewhere.file("a/b"), { recursive: true });
  for (const name of ["pure.ts", "package-of-that-name.ts"] as const) {
    elsewhere.write({ "a/b/package.json": '{"name":"test","type":"module"}', [`a/b/${name}`]: FILES[name] });
    for (const [path, text] of Object.entries(FILES)) {
      if (path.startsWith("node_modules/")) elsewhere.write({ [`a/b/${path}`]: text });
    }
    const here = await bundle(folder.file(name));
    const there = await bundle(elsewhere.file(`a/b/${name}`));
    expect(there.sha256).toBe(here.sha256);
    expect(here.code).not.toContain(folder.path);
  }
});

test("bundle() says which files went in", async () => {
  const { inputs } = await bundle(folder.file("pure.ts"));
  expect(inputs).toEqual([folder.file("node_modules/half-node/index.js"), folder.file("pure.ts")]);
});

test("bundle() refuses a module over the limit and names its largest parts", async () => {
  writeFileSync(folder.file("large.json"), JSON.stringify("x".repeat(LIMITS.moduleBytes)));
  folder.write({ "large.ts": 'import text from "./large.json"; export const handler = () => text;' });
  await expect(bundle(folder.file("large.ts"))).rejects.toMatchObject({
    code: "bundle_failed",
    message: expect.stringMatching(new RegExp(`at most ${LIMITS.moduleBytes} bytes; it is \\d+.*large\\.json`)),
  });
});

test("bundle() takes a file behind a symbolic link, and gives the same bytes", async () => {
  symlinkSync(folder.path, folder.file("link"));
  const { code, inputs } = await bundle(folder.file("link/pure.ts"));
  expect(code).toBe((await bundle(folder.file("pure.ts"))).code);
  expect(inputs).toContain(folder.file("pure.ts"));
});

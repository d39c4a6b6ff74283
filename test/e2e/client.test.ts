/** A typed client from end to end: written by opctl, compiled with its consumer, run against the platform, found outdated. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, ROOT, run, startDev, temporaryFolder, type Dev } from "./_platform.ts";
import { registryOf, type Json } from "./_registry.ts";

let dev: Dev;
let folder: string;
let ops: string;
const { done } = registryOf(() => dev);

const TREE = {
  type: "object",
  properties: { value: { type: "integer" }, children: { type: "array", items: { $ref: "#" } } },
  required: ["value"],
  additionalProperties: false,
};
const CONSUMER = `
import { createClient, OperationError } from "./ops.ts";
const [url = "", token = ""] = process.argv.slice(2);
const sent: string[] = [];
const client = createClient({
  url: url + "/",
  token,
  fetch: (target, init) => {
    sent.push([init.method, target.slice(url.length), ...Object.keys(init.headers ?? {})].join(" "));
    return fetch(target, init);
  },
});
const said: { output_str: string } = await client.call("echo", { input_str: "hi" });
const sum: number = await client.call("tree.sum", { value: 1, children: [{ value: 2 }, { value: 3, children: [{ value: 4 }] }] });
const accepted = await client.call("later", 20);
const doubled: number = await client.wait(accepted);
const byId = await client.wait(accepted.execution_id);
const started = await client.wait(await client.start("echo", { input_str: "later" }, { idempotencyKey: "k" }));
const again = await client.start("echo", { input_str: "later" }, { idempotencyKey: "k" });
const refusals: unknown[] = [];
for (const input of [-1, "x"]) {
  try {
    await client.wait(await client.call("later", input as number));
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    refusals.push([error.code, error.status, error.errors.map(({ pointer }) => pointer), error.executionId !== undefined]);
  }
}
const stopped = await client.call("echo", { input_str: "x" }, { signal: AbortSignal.abort("enough") }).catch((reason) => String(reason));
const away = createClient({ url: "http://127.0.0.1:1", token });
const unreachable = await away.call("echo", { input_str: "x" }).catch((error: OperationError) => error.code);
console.log(JSON.stringify({ said, sum, doubled, byId, started, again, refusals, stopped, unreachable, sent }));
`;

beforeAll(async () => {
  dev = await startDev();
  folder = temporaryFolder();
  ops = path.join(folder, "ops.ts");
  expect((await dev.opctl(["deploy", "examples/echo.ts#echo"])).code).toBe(0);
  const sum =
    "export function sum({ value, children = [] }) { return children.map(sum).reduce((a, b) => a + b, value); }";
  await install(dev, "tree.sum", sum, { input_type: TREE, output_type: { type: "integer" }, group: "trees" });
  const double =
    "export function double(n) { if (n < 0) throw Object.assign(new Error('no'), { code: 'terminal' }); return 2 * n; }";
  const number = { type: "number" };
  await install(dev, "later", double, { input_type: number, output_type: number, is_async: true });
});
afterAll(async () => {
  await dev?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const compile = (file: string) =>
  run(
    process.execPath,
    [
      path.join(ROOT, "node_modules/typescript/bin/tsc"),
      ..."--noEmit --strict --target es2022 --module esnext --moduleResolution bundler --isolatedModules --verbatimModuleSyntax --erasableSyntaxOnly --exactOptionalPropertyTypes --noUncheckedIndexedAccess --allowImportingTsExtensions --skipLibCheck --lib es2022 --types node".split(
        " ",
      ),
      "--typeRoots",
      path.join(ROOT, "node_modules/@types"),
      file,
    ],
    { cwd: folder },
  );

describe("opctl client typescript", () => {
  it("writes to stdout, and to a file, the same", async () => {
    const { code, stdout, stderr } = await dev.opctl(["client", "typescript"]);
    expect([code, stderr]).toEqual([0, "3 operations.\n"]);
    expect((await dev.opctl(["client", "typescript", "--output", ops])).stdout).toBe("");
    expect(readFileSync(ops, "utf8")).toBe(stdout);
    expect(stdout).not.toContain("import ");
    const some = (await dev.opctl(["client", "typescript", "--group", "trees"])).stdout;
    expect([some.includes('"tree.sum"'), some.includes('"echo"')]).toEqual([true, false]);
    expect(await dev.opctl(["client", "typescript", "--operation", "ecko"])).toMatchObject({ code: 4 });
    expect(await dev.opctl(["client", "typescript", "-o", path.join(folder, "no", "ops.ts")])).toMatchObject({
      code: 2,
    });
  });

  it("makes what a consumer compiles with, and calls with", async () => {
    writeFileSync(path.join(folder, "consumer.ts"), CONSUMER);
    expect(await compile("consumer.ts")).toMatchObject({ code: 0, stdout: "" });
    writeFileSync(
      path.join(folder, "wrong.ts"),
      CONSUMER.replace('"tree.sum", { value: 1', '"tree.sum", { value: "1"'),
    );
    expect((await compile("wrong.ts")).stdout).toMatch(/wrong\.ts\(\d+,\d+\): error TS2322/);
    const ran = await run(process.execPath, [path.join(folder, "consumer.ts"), dev.url, dev.token]);
    expect(ran).toMatchObject({ code: 0 });
    const said = JSON.parse(ran.stdout) as Json & { started: unknown; again: Json; sent: string[] };
    expect(said).toMatchObject({
      said: { output_str: "hi" },
      sum: 10,
      doubled: 40,
      byId: 40,
      started: { output_str: "later" },
      again: { execution_id: expect.stringMatching(/^ex_/) as string },
      refusals: [
        ["implementation_failed", 502, [], true],
        ["input_invalid", 422, [""], false],
      ],
      stopped: "enough",
      unreachable: "platform_unreachable",
    });
    expect(said.sent[0]).toBe("POST /ops/echo authorization content-type");
    expect(
      said.sent.filter((line) => line.startsWith("GET")).every((line) => line.endsWith("/output authorization prefer")),
    ).toBe(true);
  });

  it("refuses a token that may not read the registry", async () => {
    const made = (await done("PUT", "/registry/tokens/caller", { scopes: ["ops:invoke"] })).body as { token: string };
    const refused = await dev.opctl(["client", "typescript"], { env: { SWITCHYARD_TOKEN: made.token } });
    expect([refused.code, refused.stdout]).toEqual([3, ""]);
  });
});

describe("opctl client check", () => {
  it("tells what has changed since the file was written", async () => {
    expect(await dev.opctl(["client", "check", ops])).toMatchObject({ code: 0, stdout: "" });
    await done("PATCH", "/registry/operations/later", { timeout_ms: 1000 });
    expect(await dev.opctl(["client", "check", ops])).toMatchObject({ code: 0, stdout: "" });
    await done("PATCH", "/registry/operations/later", { output_type: { type: "integer" } });
    await done("PATCH", "/registry/operations/tree.sum", { active: false });
    await install(dev, "fresh", "export function fresh() { return 1; }");
    const { code, stdout } = await dev.opctl(["client", "check", ops]);
    expect([code, stdout]).toEqual([1, "new      fresh\nchanged  later\ngone     tree.sum\n"]);
    expect(JSON.parse((await dev.opctl(["client", "check", ops, "--json"])).stdout)).toHaveLength(3);
    await done("PATCH", "/registry/operations/tree.sum", { active: true });
    await dev.opctl(["client", "typescript", "--output", ops]);
    expect((await dev.opctl(["client", "check", ops])).code).toBe(0);
  });

  it("is also what a client finds out by itself, of the sort of answer", async () => {
    await done("PATCH", "/registry/operations/fresh", { is_async: true });
    const script = `import { createClient } from ${JSON.stringify(ops)};
      const client = createClient({ url: ${JSON.stringify(dev.url)}, token: ${JSON.stringify(dev.token)} });
      console.log(await client.call("fresh", undefined).catch((error) => error.message));`;
    writeFileSync(path.join(folder, "outdated.ts"), script);
    const { stdout } = await run(process.execPath, [path.join(folder, "outdated.ts")]);
    expect(stdout).toContain("this client must be as new as the operation; it is asynchronous now");
  });

  it("asks for a file that opctl wrote", async () => {
    expect((await dev.opctl(["client", "check", path.join(folder, "consumer.ts")])).code).toBe(2);
    expect((await dev.opctl(["client", "check", path.join(folder, "none.ts")])).code).toBe(2);
  });
});

describe("opctl describe operation", () => {
  it("shows the examples, as they are called", async () => {
    const examples = [{ summary: "a greeting", input: { input_str: "it's" }, output: { output_str: "it's" } }];
    await done("PATCH", "/registry/operations/echo", { examples, path: "GET /echoes/{input_str}" });
    const { stdout } = await dev.opctl(["describe", "operation", "echo"]);
    expect(stdout).toContain("Examples\n  # a greeting\n  opctl call echo --input");
    expect(stdout).toContain("GET /echoes/{input_str}");
    const shown = /opctl (call echo --input .*)/.exec(stdout)?.[1] ?? "";
    const called = await run("sh", ["-c", `exec "${process.execPath}" cli/opctl.js ${shown}`], {
      env: { SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token },
    });
    expect(JSON.parse(called.stdout)).toEqual(examples[0]?.output);
    expect(await (await dev.request("/echoes/hi")).json()).toEqual({ output_str: "hi" });
  });

  it("takes a path on the command line, and null", async () => {
    const edit = (...set: string[]) => dev.opctl(["edit", "operation", "echo", "-s", ...set]);
    expect((await edit("path=GET /says/{input_str}")).code).toBe(0);
    expect((await dev.request("/says/hi")).status).toBe(200);
    expect(await edit("path=GET /says/{input}")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("{input} is none") as string,
    });
    expect((await edit("path=null")).code).toBe(0);
    expect((await dev.request("/says/hi")).status).toBe(404);
  });
});

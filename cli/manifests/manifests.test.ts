/** apply, diff and export as a shell runs them, against a platform in memory. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sha256 } from "../../src/core/hash.ts";
import { startFakePlatform, type FakePlatform } from "../testing/fake-platform.ts";
import { runOpctl, type Run } from "../testing/run-opctl.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

let platform: FakePlatform;
let folder: string;

const CODE = "export function echo(input) { return input; }\n";
const TYPE = "kind: type\nname: point\nattributes: {x: {data_type: float}}\n";
const MODULE =
  "kind: module\nname: echo\ncode_file: echo.js\nexports:\n  echo: {input: {schema: true}, output: {schema: true}}\n";
const OPERATION = "kind: operation\nname: demo\nimplemented_at: echo:echo\ninput_type: point\n";

beforeEach(async () => {
  platform = await startFakePlatform();
  folder = mkdtempSync(path.join(tmpdir(), "opctl-test-"));
  mkdirSync(path.join(folder, "m", "deep"), { recursive: true });
  write("m/a.yaml", `${OPERATION}---\n${TYPE}`);
  write("m/deep/echo.yaml", MODULE);
  write("m/deep/echo.js", CODE);
});
afterEach(async () => {
  await platform.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(file: string, text: string): void {
  writeFileSync(path.join(folder, file), text);
}

function opctl(words: string[], input = ""): Promise<Run> {
  return runOpctl(words, { cwd: folder, input, env: { SWITCHYARD_URL: platform.url, SWITCHYARD_TOKEN: "sy_test" } });
}

/** A service and the state machine that it goes by. */
function rows(most: number, wanted: number): string {
  const machine = `kind: state_machine\nname: m\ninitial: a\nstates: {a: {replicas: ${wanted}}}\ntransitions: []\n`;
  const run = "run: {process: {command: [s]}}";
  return `${machine}---\nkind: service\nname: s\nenvironment: e\nstate_machine: m\n${run}\nreplicas: {max: ${most}}\n`;
}

/** As the registry has it: no state with more replicas than the service may have. */
function held({ path: at, body }: { path: string; body: string }): string | undefined {
  const said = (kind: string, name: string): object =>
    at === `/registry/${kind}s/${name}`
      ? (JSON.parse(body) as object)
      : (platform.entries.get(`${kind} ${name}`)?.content ?? {});
  const { states } = said("state_machine", "m") as { states?: { a?: { replicas: number } } };
  const { replicas } = said("service", "s") as { replicas?: { max: number } };
  const [most, wanted] = [replicas?.max ?? 5, states?.a?.replicas ?? 0];
  return wanted <= most ? undefined : `it may have ${most}, and is to have ${wanted}`;
}

const writes = (): string[] =>
  platform.seen.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);

function filesIn(name: string): string[] {
  return readdirSync(path.join(folder, name), { recursive: true, encoding: "utf8" }).toSorted((a, b) =>
    a < b ? -1 : 1,
  );
}

/** What is stored, whatever the order it was stored in. */
function entriesBut(left?: string): Map<string, unknown> {
  return new Map([...platform.entries].filter(([key]) => key !== left));
}

describe("opctl apply", () => {
  test("refuses code_file outside the manifest's folder, by path or by link, and sends nothing", async () => {
    write("private.txt", "the user's own");
    symlinkSync(path.join(folder, "private.txt"), path.join(folder, "m", "deep", "link.js"));
    for (const file of ["../../private.txt", path.join(folder, "private.txt"), "link.js"]) {
      write("m/deep/echo.yaml", MODULE.replace("echo.js", file));
      const run = await opctl(["apply", "-f", "m"]);
      expect(run.stderr).toContain("code_file must lie in the manifest's own folder or below");
      expect(run.code).toBe(2);
    }
    expect(platform.seen).toEqual([]);
  });

  test("refuses aliases that stand for more than they should, as a mistake in the file", async () => {
    const lists = ["a", "b", "c"].map(
      (name, at) => `${name}: &${name} [${`*${"_ab"[at]},`.repeat(at === 0 ? 0 : 12)}1]\n`,
    );
    write(
      "m/a.yaml",
      `kind: type\nname: bomb\nschema:\n${lists.map((line) => `  ${line}`).join("")}  d: [${"*c,".repeat(12)}1]\n`,
    );
    const run = await opctl(["apply", "-f", "m"]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining("aliases must be few") });
  });

  test("writes in the order of dependency, code before its module", async () => {
    const run = await opctl(["apply", "-f", "m"]);
    expect(run).toMatchObject({
      code: 0,
      stdout:
        "type point: created (revision 1)\nmodule echo: created (revision 1)\noperation demo: created (revision 1)\n",
    });
    expect(writes()).toEqual([
      "PUT /registry/types/point",
      `PUT /modules/${await sha256(CODE)}`,
      "PUT /registry/modules/echo",
      "PUT /registry/operations/demo",
    ]);
  });

  test("a second time changes nothing, a third only what differs", async () => {
    await opctl(["apply", "-f", "m"]);
    const stored = platform.entries.get("operation demo");
    if (stored !== undefined) stored.content["code"] = await sha256(CODE); // As the real registry resolves it.
    platform.seen.length = 0;
    expect((await opctl(["apply", "-f", "m"])).stderr).toContain("3 unchanged");
    expect(writes()).toEqual([]);
    write("m/a.yaml", `${OPERATION}description: New.\n---\n${TYPE}`);
    expect((await opctl(["apply", "-f", "m"])).stdout).toContain("operation demo: changed");
    expect(platform.seen.at(-1)).toMatchObject({ method: "PATCH", body: '{"description":"New."}' });
  });

  test("newer code in a manifest is followed by the operations that use it", async () => {
    await opctl(["apply", "-f", "m"]);
    write("m/deep/echo.js", `${CODE}// newer\n`);
    const run = await opctl(["apply", "-f", "m"]);
    expect(run.stdout).toContain("module echo: changed");
    expect(platform.seen.at(-1)).toMatchObject({ method: "PATCH", body: '{"implemented_at":"echo:echo"}' });
  });

  test("deletes only with --prune, and neither built-ins nor kinds without a manifest", async () => {
    platform.put("operation", { name: "old", group: "default" });
    platform.put("operation", { name: "list_type", group: "registry" });
    platform.put("operation", { name: "seeded", group: "default" }, "system");
    platform.put("environment", { name: "lab" });
    platform.put("token", { name: "desk" });
    await opctl(["apply", "-f", "m"]);
    expect(platform.entries.has("operation old")).toBe(true);
    expect((await opctl(["apply", "-f", "m", "--prune", "--dry-run"])).stdout).toContain(
      "operation old: would be deleted",
    );
    expect(platform.entries.has("operation old")).toBe(true);
    await opctl(["apply", "-f", "m", "--prune"]);
    expect([...platform.entries.keys()].toSorted()).toEqual([
      "environment lab",
      "module echo",
      "operation demo",
      "operation list_type",
      "operation seeded",
      "token desk",
      "type point",
    ]);
  });

  describe("of rows that are held against each other", () => {
    const changed = "state_machine m: changed (revision 2)\nservice s: changed (revision 2)\n";

    test.each([
      ["raised together", rows(3, 2), rows(9, 8), changed.split("\n").toReversed().join("\n").trim() + "\n"],
      ["lowered together", rows(9, 8), rows(3, 2), changed],
    ])("writes those that are %s, whichever must come first", async (_what, before, after, stdout) => {
      await opctl(["apply", "-f", "-"], before);
      platform.rule = held;
      expect(await opctl(["apply", "-f", "-"], after)).toMatchObject({ code: 0, stdout });
    });

    test("says what is still refused when all else is written, and has pruned nothing", async () => {
      await opctl(["apply", "-f", "-"], rows(3, 2));
      platform.put("service", { name: "old" });
      platform.rule = held;
      const run = await opctl(["apply", "-f", "-", "--prune"], rows(6, 8));
      expect([run.code, run.stdout]).toEqual([1, "service s: changed (revision 2)\n"]);
      expect(run.stderr).toContain("it may have 6, and is to have 8");
      expect(run.stderr).toContain("Stopped at state_machine m, 1 of 3 done");
      expect(platform.entries.has("service old")).toBe(true);
    });

    test("stops at once where nothing that is still to be written has to do with it", async () => {
      await opctl(
        ["apply", "-f", "-"],
        `${rows(3, 2)}---\nkind: state_machine\nname: other\ninitial: a\nstates: {a: {}}\ntransitions: []\n`,
      );
      platform.rule = held;
      const unrelated = `${rows(3, 8)}---\nkind: state_machine\nname: other\ninitial: b\nstates: {b: {}}\ntransitions: []\n`;
      const run = await opctl(["apply", "-f", "-"], unrelated);
      expect(run).toMatchObject({ code: 1, stdout: "" });
      expect(run.stderr).toContain("Stopped at state_machine m, 0 of 3 done");
    });
  });

  test("an entry changed between plan and write is a conflict that says how far it came", async () => {
    await opctl(["apply", "-f", "m"]);
    write("m/a.yaml", `${OPERATION}description: New.\n---\n${TYPE}`);
    platform.before = ({ method }) => {
      if (method === "PATCH") platform.put("operation", { name: "demo", group: "theirs" });
    };
    const run = await opctl(["apply", "-f", "m"]);
    expect(run.code).toBe(5);
    expect(run.stderr).toContain("Stopped at operation demo, 2 of 3 done");
  });

  test.each([
    ["kind: operation\nname: Demo\nimplemented_at: echo:echo\n", "definition_invalid", "/name"],
    ["kind: operation\nname: demo\nimplemented_at: echo:echo\nturbo: true\n", "definition_invalid", "/turbo"],
    ["kind: operatoin\nname: x\n", "usage", 'Did you mean "operation"?'],
    ["name: x\n", "usage", "must say its kind"],
    ["kind: type\nname: [\n", "usage", "must be YAML"],
    ["kind: type\nname: a\nname: b\n", "usage", "must be YAML"],
    ["kind: token\nname: t\nscopes: [admin]\n", "usage", "nothing secret"],
    ["kind: secret\nname: s\nvalue: v\n", "usage", "opctl secret set s"],
    [`${TYPE}---\n${TYPE}`, "usage", "may be there once"],
    ["- a list\n", "usage", "must be a mapping"],
    [`kind: module\nname: m\nsha256: ${"f".repeat(64)}\ncode: x\nexports: {}\n`, "module_hash_mismatch", "must be fff"],
  ])("refuses %j before anything is sent", async (text, code, words) => {
    const run = await opctl(["apply", "-f", "-"], text);
    expect(run.code).toBeGreaterThan(0);
    expect(run.stderr).toContain(`(${code})`);
    expect(run.stderr).toContain(words);
    expect(platform.seen).toEqual([]);
  });

  test("leaves an OpenAPI document of a folder to the command that is for it, and says which", async () => {
    write("m/deep/api.yaml", "openapi: 3.1.0\ninfo: {title: a, version: '1'}\npaths: {}\n");
    const run = await opctl(["apply", "-f", "m", "--dry-run"]);
    expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining("operation demo") as string });
    const alone = await opctl(["apply", "-f", "m/deep/api.yaml"]);
    expect(alone.code).toBe(2);
    expect(alone.stderr).toContain("opctl import openapi m/deep/api.yaml");
  });

  test("a folder without manifests is refused", async () => {
    mkdirSync(path.join(folder, "empty"));
    expect(await opctl(["apply", "-f", "empty"])).toMatchObject({ code: 2 });
  });
});

describe("opctl diff", () => {
  test("exits 1 with the difference, 0 without, and writes nothing", async () => {
    await opctl(["apply", "-f", "m"]);
    const stored = platform.entries.get("operation demo");
    if (stored !== undefined) stored.content["code"] = await sha256(CODE);
    platform.seen.length = 0;
    expect(await opctl(["diff", "-f", "m"])).toMatchObject({ code: 0, stdout: "" });
    write("m/a.yaml", `${OPERATION}timeout_ms: 5\n---\n${TYPE}`);
    const run = await opctl(["diff", "-f", "m"]);
    expect(run.code).toBe(1);
    expect(run.stdout).toContain("--- registry/operation/demo\n+++ m/a.yaml (document 1)\n");
    expect(run.stdout).toContain("\n-timeout_ms: null\n+timeout_ms: 5");
    expect(writes()).toEqual([]);
  });
});

describe("opctl export", () => {
  test("writes what apply reads back into an empty registry, code included", async () => {
    await opctl(["apply", "-f", "m"]);
    platform.put("operation", { name: "list_type", group: "registry" }, "system");
    expect((await opctl(["export", "-d", "out"])).code).toBe(0);
    expect(filesIn("out")).toEqual([
      "modules",
      "modules/echo.js",
      "modules/echo.yaml",
      "operations",
      "operations/demo.yaml",
      "types",
      "types/point.yaml",
    ]);
    expect(readFileSync(path.join(folder, "out/modules/echo.js"), "utf8")).toBe(CODE);
    const stream = await opctl(["export"]);
    const before = entriesBut("operation list_type");
    platform.entries.clear();
    platform.code.clear();
    expect((await opctl(["apply", "-f", "-"], stream.stdout)).code).toBe(0);
    expect(entriesBut()).toEqual(before);
    expect([...platform.code.values()]).toEqual([CODE]);
  });

  test("refuses what must not be in a file", async () => {
    const run = await opctl(["export", "tokens"]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain("nothing secret");
  });
});

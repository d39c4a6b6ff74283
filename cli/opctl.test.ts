/** opctl as a child process against a platform in memory: what it sends, prints, and how it exits. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SwitchyardError } from "../src/core/errors.ts";
import { startFakePlatform, type FakePlatform } from "./testing/fake-platform.ts";
import { runOpctl, type Run } from "./testing/run-opctl.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

let platform: FakePlatform;
let folder: string;

const missing = (kind: string, name: string) =>
  new SwitchyardError("entity_not_found", `Cannot find the ${kind} "${name}": there is none`, {
    hint: `opctl get ${kind}s`,
  });

beforeEach(async () => {
  platform = await startFakePlatform();
  folder = mkdtempSync(path.join(tmpdir(), "opctl-test-"));
  platform.operations.set("echo", {
    inputSchema: { type: "object", properties: { input_str: { type: "string" }, times: { type: "integer" } } },
    run: (input) => ({ output_str: input["input_str"], times: input["times"] ?? 1 }),
  });
  platform.put("operation", {
    name: "demo",
    implemented_at: "echo:echo",
    input_type: null,
    group: "default",
    code: "a".repeat(64),
  });
});
afterEach(async () => {
  await platform.close();
  rmSync(folder, { recursive: true, force: true });
});

function opctl(words: string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Run> {
  const env = { SWITCHYARD_URL: platform.url, SWITCHYARD_TOKEN: "sy_test", ...options.env };
  return runOpctl(words, { ...options, cwd: folder, env });
}

describe("opctl call", () => {
  test("reads a word by the input type, and prints the output alone", async () => {
    const run = await opctl(["call", "echo", "input_str=007", "times=2"]);
    expect(run).toEqual({ code: 0, stdout: '{"output_str":"007","times":2}\n', stderr: "" });
  });

  test("asks for no type when every word is JSON", async () => {
    await opctl(["call", "echo", 'input_str:="hi"']);
    expect(platform.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /ops/echo"]);
  });

  test("sends --input as it is, digit for digit", async () => {
    await opctl(["call", "echo", "--input", "-"], { input: '{"n":12345678901234567890}' });
    expect(platform.seen.at(-1)?.body).toBe('{"n":12345678901234567890}');
  });

  test("pins a revision and can only validate", async () => {
    await opctl(["call", "echo", "--revision", "3", "--validate", "--input", "{}"]);
    expect(platform.seen.at(-1)?.path).toBe("/ops/echo@3?validate=only");
  });

  test("gives up after --timeout with exit code 7", async () => {
    platform.before = () => new Promise((resolve) => setTimeout(resolve, 1000));
    const run = await opctl(["call", "echo", "--timeout", "50ms", "--input", "{}"]);
    expect(run.code).toBe(7);
    expect(run.stderr).toContain("Cannot wait any longer");
  });
});

describe("exit codes", () => {
  test.each([
    ["input_invalid", 1],
    ["bad_request", 2],
    ["forbidden", 3],
    ["entity_in_use", 5],
    ["implementation_failed", 6],
    ["timeout", 7],
  ])("%s exits %i", async (code, exit) => {
    platform.operations.set("bad", {
      inputSchema: true,
      run: () => {
        throw code; // oxlint-disable-line typescript/only-throw-error -- the fake's way to name a code
      },
    });
    const run = await opctl(["call", "bad"]);
    expect(run.code).toBe(exit);
    expect(run.stdout).toBe("");
    expect(run.stderr).toContain(`(${code})`);
  });

  test.each([
    [["call", "dmo", "a=1"], "operation", "demo", undefined],
    [["call", "dmo@2", "--input", "{}"], "operation", "demo", undefined],
    [["get", "service", "albms"], "service", "albums", undefined],
    [["describe", "state-machine", "albms"], "state_machine", "albums", undefined],
    [["service", "deploy", "albms"], "service", "albums", "GET /services/albms/status"],
    [["watch", "service", "albms"], "service", "albums", "GET /services/albms/status"],
    [["seek", "contres", "--target", "1"], "agent", "counters", "POST /agents/contres/seek"],
    [["schedule", "trigger", "nigtly"], "schedule", "nightly", "POST /schedules/nigtly/trigger"],
    [["environment", "check", "rak-1"], "environment", "rack-1", "POST /environments/rak-1/check"],
    [["runner", "list", "--environment", "rak-1"], "environment", "rack-1", "GET /runners/rak-1"],
    [["call", "test_subscription", "--input", '{"name":"tel"}'], "subscription", "tell", "POST /ops/test_subscription"],
  ])("%j is told the nearest %s, %s", async (words, kind, name, route) => {
    platform.put(kind, { name });
    const given = route?.split("/")[1] === "ops" ? "tel" : (route?.split("/")[2] ?? "");
    if (route !== undefined) platform.answers.set(route, missing(kind, given));
    const run = await opctl(words);
    expect([run.code, run.stdout]).toEqual([4, ""]);
    expect(run.stderr).toContain(`Did you mean "${name}"?`);
    // Who may not list them is told no more than that there is none.
    platform.refuses.add(`GET /registry/${kind}s`);
    const blind = await opctl(words);
    expect([blind.code, blind.stderr.includes(name)]).toEqual([4, false]);
  });

  test.each([
    ["what a row has and it is there", "POST", "/schedules/nightly/trigger", "nightly"],
    ["another row than the one that was asked for", "POST", "/schedules/nigtly/trigger", "other"],
  ])("no name is said for %s", async (_what, method, route, name) => {
    platform.put("schedule", { name: "nightly" });
    platform.answers.set(`${method} ${route}`, missing("schedule", name));
    const run = await opctl(["schedule", "trigger", route.split("/")[2] ?? ""]);
    expect(run.code).toBe(4);
    expect(run.stderr).not.toContain("Did you mean");
  });

  test.each([
    [["cal", "x"], 2, "Did you mean call?"],
    [["get", "operatons"], 2, 'Did you mean "operations"?'],
    [["get", "runners"], 2, "artifact, change, delivery (usage)\nnext:  opctl runner list"],
    [["get", "exeutions"], 2, 'Did you mean "executions"?'],
    [["watch", "albums"], 2, "opctl watch service NAME"],
    [["seek", "counters", "--targets", "{}"], 2, "unknown option '--targets' (usage)\nnext:  Did you mean --target?"],
    [["seek", "counters"], 2, "required option '-t, --target <json>' not specified"],
    [["get", "operation", "demoo"], 4, 'Did you mean "demo"?'],
    [["call", "nothing"], 4, "operation_not_found"],
    [["get", "operations", "--nonsense"], 2, "opctl help get"],
    [["token", "create", "x", "--nonsense"], 2, "opctl help token create"],
    [["help", "webhooks"], 2, 'Did you mean "webhook"?'],
    [["explain", "input_invlid"], 2, "input_invalid"],
  ])("%j exits %i and says %s", async (words, exit, text) => {
    const run = await opctl(words);
    expect(run).toMatchObject({ code: exit, stdout: "" });
    expect(run.stderr).toContain(text);
  });

  test("help of a command within a command is that of the inner one", async () => {
    const run = await opctl(["help", "webhook", "test"]);
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(run.stdout).toMatch(/^Usage: opctl webhook test/);
  });

  test("help names each choice once", async () => {
    const { stdout } = await opctl(["help", "get"]);
    const choices = /--status[^(]*\(choices:([^)]*)\)/.exec(stdout)?.[1]?.match(/\w+/g) ?? [];
    expect(choices.length).toBeGreaterThan(8);
    expect(new Set(choices).size).toBe(choices.length);
  });

  test("a platform that does not answer is said with the command that starts one", async () => {
    const run = await opctl(["call", "echo"], { env: { SWITCHYARD_URL: "http://127.0.0.1:9" } });
    expect(run.code).toBe(6);
    expect(run.stderr).toContain("opctl dev");
  });

  test("--json prints the problem as JSON on stderr", async () => {
    const run = await opctl(["call", "nothing", "--json"]);
    expect(JSON.parse(run.stderr)).toMatchObject({ code: "operation_not_found", status: 404 });
  });
});

describe("credentials", () => {
  test("are found in a parent folder, and readable ones are warned of", async () => {
    mkdirSync(path.join(folder, ".switchyard"));
    const file = path.join(folder, ".switchyard", "credentials.json");
    writeFileSync(file, JSON.stringify({ url: platform.url, token: "sy_test" }));
    chmodSync(file, 0o644);
    mkdirSync(path.join(folder, "a", "b"), { recursive: true });
    const run = await runOpctl(["token", "show"], { cwd: path.join(folder, "a", "b") });
    expect(run).toMatchObject({ code: 0, stdout: "sy_test\n" });
    expect(run.stderr).toContain("chmod 600");
  });

  test.each([
    [{ SWITCHYARD_TOKEN: "sy_secret\nx" }, "must be one word of ASCII"],
    [
      { SWITCHYARD_TOKEN: "sy_test", SWITCHYARD_URL: "http://me:sy_secret@127.0.0.1:1" },
      "must not hold a name or a password",
    ],
  ])("that cannot be sent are refused without being printed (%#)", async (env, said) => {
    const run = await runOpctl(["get", "types"], { cwd: folder, env: { SWITCHYARD_URL: platform.url, ...env } });
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
    expect(run.stderr).not.toContain("sy_secret");
  });

  test("a file's token is not sent to another address", async () => {
    mkdirSync(path.join(folder, ".switchyard"));
    writeFileSync(
      path.join(folder, ".switchyard", "credentials.json"),
      JSON.stringify({ url: "http://127.0.0.1:1", token: "sy_test" }),
    );
    const run = await runOpctl(["get", "types"], { cwd: folder, env: { SWITCHYARD_URL: platform.url } });
    expect(run.code).toBe(3);
    expect(platform.seen).toEqual([]);
  });
});

describe("opctl chain", () => {
  test("sends its steps as one call, and prints what the last one answered", async () => {
    platform.operations.set("chain", { inputSchema: true, run: (input) => input });
    const run = await opctl(["chain", 'echo(input_str="hi") | shout@2(times=9) | count', "--quiet"]);
    expect(JSON.parse(run.stdout)).toEqual({
      steps: [
        { operation: "echo", args: { input_str: "hi" } },
        { operation: "shout@2", args: { times: 9 } },
        { operation: "count", args: {} },
      ],
    });
    expect(platform.seen).toHaveLength(1);
  });

  test("ends as the platform says that a step failed", async () => {
    platform.operations.set("chain", {
      inputSchema: true,
      run: () => {
        // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- the fake takes a code
        throw "operation_not_found";
      },
    });
    const run = await opctl(["chain", "echo(input_str=hi) | nothing"]);
    expect(run.code).toBe(4);
    expect(run.stderr).toContain("operation_not_found");
  });
});

describe("opctl get", () => {
  test("shows a type that comes from the code", async () => {
    const run = await opctl(["get", "operations", "demo", "-a", "name", "-a", "input_type", "-a", "revision"]);
    expect(run.stdout).toBe("NAME  INPUT_TYPE  REVISION\ndemo  in          1\n");
  });

  test("follows the cursors to the end", async () => {
    for (let n = 0; n < 450; n++) platform.put("type", { name: `t${n}`, schema: true });
    const run = await opctl(["get", "types", "--json", "-a", "name"]);
    expect(JSON.parse(run.stdout)).toHaveLength(450);
  });

  test("refuses an attribute that no entry has, with the nearest", async () => {
    const run = await opctl(["get", "operations", "-a", "inputtype"]);
    expect(run).toMatchObject({ code: 2, stdout: "" });
    expect(run.stderr).toContain('Did you mean "input_type"?');
  });
});

describe("opctl create, duplicate, delete, token, secret", () => {
  test("create refuses a taken name with exit code 5", async () => {
    const run = await opctl(["create", "operation", "-s", "name=demo", "-s", "implemented_at=a:b"]);
    expect(run.code).toBe(5);
    expect(run.stderr).toContain("(entity_exists)");
  });

  test("duplicate sends the overrides, numbers as numbers", async () => {
    await opctl(["duplicate", "operation", "demo", "-s", "name=copy", "-s", "timeout_ms=1000"]);
    expect(platform.seen.at(-1)).toMatchObject({
      path: "/registry/operations/demo/duplicate",
      body: '{"name":"copy","timeout_ms":1000}',
    });
  });

  test.each([
    ["operation", "\noperation gone: deleted; `opctl rollback operation gone --to 1` brings it back\n"],
    ["token", "\ntoken gone: deleted\n"],
  ])("delete says how a %s comes back, where it does", async (kind, said) => {
    platform.put(kind, { name: "gone" });
    const run = await opctl(["delete", kind, "gone", "--yes"]);
    expect([run.code, `\n${run.stderr}`]).toEqual([0, said]);
  });

  test("token create prints the token alone on stdout", async () => {
    const run = await opctl(["token", "create", "ci", "--scope", "ops:invoke", "--expires", "30d"]);
    expect(run).toMatchObject({ code: 0, stdout: "sy_new_secret\n" });
    const expires = (JSON.parse(platform.seen.at(-1)?.body ?? "") as { expires_at: string }).expires_at;
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan(29.9 * 86_400_000);
  });

  test("secret set takes the value from stdin and prints it nowhere", async () => {
    const run = await opctl(["secret", "set", "key", "--group", "demo"], { input: "s3cret\n" });
    expect(run.code).toBe(0);
    expect(run.stdout + run.stderr).not.toContain("s3cret");
    expect(JSON.parse(platform.seen.at(-1)?.body ?? "")).toMatchObject({ value: "s3cret", groups: ["demo"] });
  });
});

describe("start", () => {
  test("--version prints the version of package.json", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await runOpctl(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("completes commands, kinds and names", async () => {
    expect((await opctl(["__complete", "--", "du"])).stdout).toBe("duplicate\n");
    expect((await opctl(["__complete", "--", "get", "operation"])).stdout).toBe("operation\noperations\n");
    expect((await opctl(["__complete", "--", "describe", "operation", "d"])).stdout).toBe("demo\n");
    expect((await opctl(["__complete", "--", "call", "--tim"])).stdout).toBe("--timeout\n");
  });

  test("doctor without credentials says so as a check, not as a failure of its own", async () => {
    const run = await runOpctl(["doctor"], { cwd: folder });
    expect(run).toMatchObject({ code: 1, stderr: "" });
    expect(run.stdout).toContain("failed   credentials   Cannot find the platform");
  });

  test("doctor finds what is wrong and exits 1", async () => {
    expect(await opctl(["doctor"])).toMatchObject({ code: 0 });
    const run = await opctl(["doctor"], { env: { SWITCHYARD_TOKEN: "sy_wrong" } });
    expect(run.code).toBe(1);
    expect(run.stdout).toContain("token_unknown");
  });
});

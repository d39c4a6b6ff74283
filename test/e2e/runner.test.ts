/** The lines that a user types to move an operation to a machine of their own, on the real platform. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRunnerDoor, type RunnerHost } from "../../src/host/runner-door.node.ts";
import { splitFrame } from "../../src/model/frame.ts";
import { NEED_REPLY, type HostOrder } from "../../src/model/host-protocol.ts";
import { install, ROOT, startDev, type Dev } from "./_platform.ts";
import { until } from "./_pools.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  const created = await dev.opctl(["create", "environment", "-"], { input: '{"name":"rack-1","adapter":"runner"}' });
  expect(created.stderr + created.stdout).toContain("rack-1");
  expect(created.code).toBe(0);
  expect((await dev.opctl(["deploy", "examples/echo.ts#echo"])).code).toBe(0);
});
afterAll(() => dev.stop());

const INPUT = ["call", "echo", "input_str=hi"];

/** Runs modules in this process: what a host does of the protocol, without its walls. */
function plainHost(): RunnerHost & { ran: number } {
  const known = new Map<string, (input: unknown, context: object) => unknown>();
  return {
    ran: 0,
    async run(order) {
      const [line, input] = splitFrame(order);
      const head = JSON.parse(line) as HostOrder;
      let handler = known.get(head.isolate);
      if (handler === undefined) {
        if (head.definition === undefined) return NEED_REPLY;
        const { code, export: name } = head.definition;
        const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
        const module = (await import(url)) as Record<string, typeof handler>;
        handler = module[name];
        if (handler === undefined) throw new TypeError(`no export ${name}`);
        known.set(head.isolate, handler);
      }
      this.ran += 1;
      const output = await handler(JSON.parse(input), { log: console });
      return `{"ok":true,"logs":[]}\n${JSON.stringify(output)}`;
    },
  };
}

async function tokenFor(scope: string): Promise<string> {
  const name = scope.replaceAll(":", "-");
  const made = await dev.opctl(["token", "create", name, "--scope", scope]);
  expect(made.stderr).toContain(scope);
  return made.stdout.trim();
}

test("an operation that is moved to a runner gives the same answer there, and moves back", async () => {
  const inline = await dev.opctl(INPUT);
  expect(inline.code).toBe(0);
  const edited = await dev.opctl(["edit", "operation", "echo", "-s", "environment=rack-1"]);
  expect(edited.stderr).not.toContain("error");
  const nobody = await dev.opctl(INPUT);
  expect(nobody.stderr).toContain("no runner is connected");
  expect(nobody.stderr).toContain("opctl runner start --environment rack-1");

  const host = plainHost();
  const token = await tokenFor("runner:rack-1");
  const door = openRunnerDoor({
    url: dev.url,
    token,
    environment: "rack-1",
    version: "1",
    name: "desk",
    slots: 2,
    capabilities: { gpu: true },
    runs: ["module"],
    host,
    log: () => undefined,
  });
  const moved = await dev.opctl(INPUT);
  expect(moved).toMatchObject({ code: 0, stdout: inline.stdout });
  expect(host.ran).toBe(1);
  const list = await dev.opctl(["runner", "list", "--environment", "rack-1"]);
  expect(list.stdout).toMatch(/desk\s+connected\s+0\/2\s+0\s+module\s+gpu=true/);
  await dev.opctl(["edit", "operation", "echo", "-s", 'requires={"gpu":true}']);
  expect(await dev.opctl(INPUT)).toMatchObject({ code: 0, stdout: inline.stdout });
  await dev.opctl(["edit", "operation", "echo", "-s", 'requires={"zone":"moon"}']);
  expect((await dev.opctl(INPUT)).stderr).toContain("desk: it needs zone=moon; it has none");
  await dev.opctl(["edit", "operation", "echo", "-s", "requires.zone=null"]);
  const accepted = await dev.opctl([...INPUT, "--async", "--wait"]);
  expect(accepted).toMatchObject({ code: 0, stdout: inline.stdout });
  door.drain();
  await door.ended;
  await dev.opctl(["edit", "operation", "echo", "-s", "environment=null", "-s", "requires.gpu=null"]);
  expect(await dev.opctl(INPUT)).toMatchObject({ code: 0, stdout: inline.stdout });
});

describe("the routes of runners", () => {
  test.each([
    ["/runners/rack-1/connect", "runner:rack-1", 426],
    ["/runners/rack-1/connect", "runner:rack-2", 403],
    ["/runners/rack-1/connect", "ops:invoke", 403],
    ["/runners/rack-1/connect", "admin", 426],
    ["/runners/rack-9/connect", "admin", 404],
    ["/runners/inline/connect", "admin", 400],
    ["/runners/rack-1", "runner:rack-1", 403],
    ["/runners/rack-1", "registry:read", 200],
  ])("GET %s with %s answers %i", async (route, scope, status) => {
    const name = `t${performance.now().toFixed(0)}`;
    const made = await dev.request(`/registry/tokens/${name}`, {
      method: "PUT",
      body: JSON.stringify({ scopes: [scope] }),
      headers: { "content-type": "application/json" },
    });
    const { token } = (await made.json()) as { token: string };
    const answer = await dev.request(route, { token: token });
    expect([answer.status, await answer.text()]).toEqual([status, expect.anything()]);
  });

  test("a runner of another environment's token, and none at all, are told why", async () => {
    expect((await dev.request("/runners/rack-1/connect", { token: null })).status).toBe(401);
  });
});

test("opctl runner install prints a unit without the token", async () => {
  const printed = await dev.opctl([
    "runner",
    "install",
    "--environment",
    "rack-1",
    "--capability",
    "gpu=true",
    "--print",
  ]);
  expect(printed.code).toBe(0);
  for (const line of [
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "Restart=always",
    "User=switchyard",
  ]) {
    expect(printed.stdout).toContain(line);
  }
  expect(printed.stdout).toContain("EnvironmentFile=/etc/switchyard/runner-rack-1.env");
  expect(printed.stdout).toMatch(/ExecStart=.* runner start --environment rack-1 --capability gpu=true --allow module/);
  expect(printed.stdout + printed.stderr).not.toContain(dev.token);
});

function start(
  words: readonly string[],
  env: Record<string, string> = {},
): { child: ChildProcess; said: () => string } {
  let said = "";
  const child = spawn(process.execPath, ["cli/opctl.js", "runner", "start", ...words], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1", SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (said += part.toString()));
  return { child, said: () => said };
}
const exit = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("exit", resolve));

const hasHost = existsSync(path.join(ROOT, "src/host/core.node.ts"));
if (!hasHost) console.warn("SKIPPED: opctl runner start, because src/host/core.node.ts is not there");

describe.skipIf(!hasHost)("opctl runner start", () => {
  test("says what it runs, runs it, drains at SIGTERM with exit code 0", async () => {
    const inline = await dev.opctl(INPUT);
    await dev.opctl(["edit", "operation", "echo", "-s", "environment=rack-1"]);
    const { child, said } = start(["--environment", "rack-1", "--name", "desk-2", "--capability", "gpu=true"]);
    await until("it connects", () => said().includes("connected to rack-1"));
    expect(said()).toContain("Nothing else is run");
    expect(said()).toContain("gpu=true");
    expect(said()).not.toContain(dev.token);
    expect(await dev.opctl(INPUT)).toMatchObject({ code: 0, stdout: inline.stdout });
    const ended = exit(child);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(said()).toContain("drained");
  });

  test("at a second signal ends at once, with 130, though it works", async () => {
    const slow = "export async function slow() { await new Promise((end) => setTimeout(end, 20_000)); return 1; }";
    await install(dev, "slow", slow, { environment: "rack-1" });
    const { child, said } = start(["--environment", "rack-1", "--name", "desk-3"]);
    await until("it connects", () => said().includes("connected to rack-1"));
    const same = start(["--environment", "rack-1", "--name", "desk-3"]);
    expect(await exit(same.child)).toBe(5);
    expect(same.said()).toContain("--name NAME; opctl runner list --environment rack-1 shows");
    const call = dev.call("slow", {});
    await until("it works", async () => {
      const list = await dev.opctl(["runner", "list", "--environment", "rack-1"]);
      return list.stdout.includes("1/");
    });
    const ended = exit(child);
    child.kill("SIGTERM");
    await until("it drains", () => said().includes("draining"));
    child.kill("SIGTERM");
    expect(await ended).toBe(130);
    expect((await call).status).toBe(503);
  });

  test("runs programs that it allows, none that it does not, and code that calls other operations", async () => {
    for (const [name, program] of [
      ["cat", "cat"],
      ["other", "env"],
    ]) {
      const row = { name, implemented_at: { process: { command: [program] } }, environment: "rack-1" };
      const types = { input_type: true, output_type: true };
      const made = await dev.opctl(["create", "operation", "-"], { input: JSON.stringify({ ...row, ...types }) });
      expect(made.stderr).toContain("created");
    }
    await dev.opctl(["deploy", "examples/greet.ts#greet"]);
    await dev.opctl(["edit", "operation", "echo", "-s", "environment=null"]);
    const greeting = await dev.opctl(["call", "greet", "name=Ada"]);
    expect(greeting.code).toBe(0);
    await dev.opctl(["edit", "operation", "greet", "-s", "environment=rack-1"]);
    const { child, said } = start([
      "--environment",
      "rack-1",
      "--name",
      "desk-4",
      "--allow",
      "module",
      "--allow",
      "process:cat",
    ]);
    await until("it connects", () => said().includes("connected to rack-1"));
    expect(said()).toMatch(/Runs the program .*cat/);
    expect(await dev.call("cat", { a: [1] })).toMatchObject({ status: 200, body: { a: [1] } });
    expect(await dev.call("other", {})).toMatchObject({ body: { code: "environment_forbids" } });
    expect(await dev.opctl(["call", "greet", "name=Ada"])).toMatchObject({ code: 0, stdout: greeting.stdout });
    const ended = exit(child);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  test.each([
    ["a token of no right", { SWITCHYARD_TOKEN: "sy_aaaaaaaaaaaa_bbbb" }, ["--environment", "rack-1"], 3],
    ["an environment that is not there", {}, ["--environment", "rack-9"], 4],
    ["an environment of another adapter", {}, ["--environment", "inline"], 2],
    ["an allow-list of no form", {}, ["--environment", "rack-1", "--allow", "everything"], 2],
    ["no slots", {}, ["--environment", "rack-1", "--slots", "0"], 2],
  ])("%s: ends with its exit code", async (_what, env, words, code) => {
    const { child } = start(words, env);
    expect(await exit(child)).toBe(code);
  });
});

/** `opctl call` of what runs later: what is sent, printed, waited for, and what Ctrl-C leaves. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { idOf, viewOf } from "../testing/fake-executions.ts";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const fake = opctlOnFake();
const ID = idOf(1);

describe("opctl call", () => {
  test("prints what was accepted, and on stderr what to do next", async () => {
    const run = await fake.opctl("call", "slow", "n:=1");
    expect(run).toMatchObject({ code: 0, stdout: `{"execution_id":"${ID}"}\n` });
    expect(run.stderr).toContain(`opctl get execution ${ID}`);
    expect(run.stderr).toContain(`opctl logs ${ID} --follow`);
  });

  test("--async, --idempotency-key, --delay and --expires are sent as the platform has them", async () => {
    await fake.opctl(
      "call",
      "quick",
      "n:=1",
      "--async",
      "--idempotency-key",
      "order-42",
      "--delay",
      "10m",
      "--expires",
      "1h",
    );
    const sent = fake.platform.seen.at(-1);
    expect(sent?.path).toBe("/ops/quick?delay_ms=600000&expires_ms=3600000");
    expect(sent?.headers).toMatchObject({ prefer: "respond-async", "idempotency-key": "order-42" });
  });

  test("--wait prints the output, and only that where nobody watches", async () => {
    fake.platform.before = ({ path: route }) => {
      if (route.endsWith("/output")) fake.end(ID, '{"n":1}');
    };
    expect(await fake.opctl("call", "slow", "n:=1", "--wait")).toEqual({ code: 0, stdout: '{"n":1}\n', stderr: "" });
  });

  test("--wait before an argument takes it for no duration", async () => {
    fake.platform.before = ({ path: route }) => {
      if (route.endsWith("/output")) fake.end(ID, "1");
    };
    expect(await fake.opctl("call", "slow", "--wait", "n:=1")).toMatchObject({ code: 0, stdout: "1\n" });
    expect(fake.platform.seen[0]?.body).toBe('{"n":1}');
  });

  test("--wait of an operation that answers at once changes nothing", async () => {
    expect(await fake.opctl("call", "quick", "n:=1", "--wait", "10s")).toEqual({
      code: 0,
      stdout: '{"n":1}\n',
      stderr: "",
    });
  });

  test("--wait exits by the error that the execution ended with", async () => {
    const error = { code: "implementation_failed", detail: "Cannot finish: boom" } as const;
    fake.platform.before = ({ path: route }) => {
      if (route.endsWith("/output")) fake.platform.executions.views.set(ID, viewOf(1, { status: "dead", error }));
    };
    const run = await fake.opctl("call", "slow", "--wait");
    expect(run).toMatchObject({ code: 6, stdout: "" });
    expect(run.stderr).toContain("Cannot finish: boom (implementation_failed)");
    expect(run.stderr).toContain(`opctl replay ${ID}`);
  });

  test("--wait 50ms ends with 7, and says that the execution goes on", async () => {
    const run = await fake.opctl("call", "slow", "--wait", "50ms");
    expect(run).toMatchObject({ code: 7, stdout: "" });
    expect(run.stderr).toContain(`It goes on.\n       opctl get execution ${ID}`);
  });

  test("Ctrl-C while it waits leaves the execution alone and says how to follow or cancel it", async () => {
    fake.platform.before = ({ path: route }) =>
      route.endsWith("/output") ? new Promise(() => child.kill("SIGINT")) : undefined;
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL("../opctl.js", import.meta.url)), "call", "slow", "--wait"],
      {
        env: { ...process.env, ...fake.environment },
      },
    );
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(130);
    expect(stderr).toContain(`The execution ${ID} goes on`);
    expect(stderr).toContain(`opctl cancel ${ID}`);
  });

  test.each([
    [["--validate", "--async"], "Cannot use --async with --validate"],
    [["--wait", "quick"], "Cannot read the duration"],
    [["--delay", "soon"], "Cannot read the duration"],
  ])("refuses %j before anything is sent", async (words, text) => {
    const run = await fake.opctl("call", "slow", ...words);
    expect(run).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(text) });
    expect(fake.platform.seen).toEqual([]);
  });
});

/** Real programs, in sh: each of the ways in which one can misbehave. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Cancellation } from "../../core/cancellation.ts";
import { anOrder } from "./_order.test-help.node.ts";
import { runExternalWork } from "./run-work.node.ts";

const folder = mkdtempSync(path.join(tmpdir(), "switchyard-process-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type More = { input?: string; timeoutMs?: number; cancellation?: Cancellation; seen?: string[] };

function sh(script: string, more: More = {}) {
  const { input = '{"a":1}', timeoutMs, cancellation, seen = [] } = more;
  return runExternalWork(
    { kind: "process", command: ["/bin/sh", "-c", script, "sh", folder] },
    anOrder(input, timeoutMs),
    {
      ...(cancellation === undefined ? {} : { cancellation }),
      log: (level, message) => void seen.push(`${level} ${message}`),
    },
  );
}

function alive(pidFile: string): boolean {
  const pid = Number(readFileSync(path.join(folder, pidFile), "utf8"));
  expect(pid).toBeGreaterThan(1);
  // What has ended and was not waited for yet is a zombie (Z).
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

test("runProcess() hands on JSON, logs stderr, and tells the program who asks", async () => {
  const seen: string[] = [];
  const said =
    'read -r line; echo "one" >&2; echo two >&2; printf \'[%s,"%s"]\' "$line" "$SWITCHYARD_EXECUTION_ID $SWITCHYARD_OPERATION $SWITCHYARD_ATTEMPT $TRACEPARENT $TRACESTATE"';
  const result = await sh(said, { input: '{"a":1}\n', seen });
  expect(result).toMatchObject({
    ok: true,
    output: '[{"a":1},"ex_1 op 2 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 congo=t61rcWkgMzE"]',
    logs: [{ message: "one" }, { message: "two" }],
  });
  expect(seen).toEqual(["info one", "info two"]);
});

test("runProcess() gives an empty folder, which is gone afterwards, and nothing of the host's environment", async () => {
  process.env["SWITCHYARD_TEST_SECRET"] = "hunter2";
  const result = await sh(
    'touch x; printf \'["%s","%s","%s"]\' "$PWD" "$(ls)" "$(env | cut -d= -f1 | sort | tr "\\n" " ")"',
  );
  delete process.env["SWITCHYARD_TEST_SECRET"];
  const [cwd, files, names] = JSON.parse(result.ok ? result.output : "[]") as string[];
  expect(files).toBe("x");
  expect(existsSync(cwd ?? "")).toBe(false);
  expect(
    names
      ?.trim()
      .split(" ")
      .filter((name) => name !== "_" && name !== "OLDPWD"),
  ).toEqual([
    "HOME",
    "LANG",
    "PATH",
    "PWD",
    "SWITCHYARD_ATTEMPT",
    "SWITCHYARD_EXECUTION_ID",
    "SWITCHYARD_OPERATION",
    "SWITCHYARD_RUN",
    "TMPDIR",
    "TRACEPARENT",
    "TRACESTATE",
  ]);
});

test.each<[title: string, script: string, code: string, detail: RegExp, retry: string]>([
  ["prints what is not JSON", "echo hello", "output_not_json", /line 1, column 1 must have a value; it has/, "may"],
  ["prints JSON and more", "echo '{} x'", "output_not_json", /line 1, column 4 must have nothing more/, "may"],
  ["prints bytes that are no text", "printf '\"\\377\"'", "output_not_json", /not UTF-8/, "may"],
  ["says nothing and succeeds", "exit 0", "output_not_json", /it said nothing/, "may"],
  ["fails", "echo '{}'; echo why >&2; echo >&2; exit 3", "implementation_failed", /^why$/, "may"],
  ["fails without a word", "exit 3", "implementation_failed", /exit code 3/, "may"],
  ["says that the data is wrong", "echo bad >&2; exit 65", "implementation_failed", /^bad$/, "never"],
  ["is ended by a signal", "kill -SEGV $$", "implementation_failed", /SIGSEGV/, "may"],
  ["is killed from outside", "kill -KILL $$", "executor_lost", /want of memory/, "may"],
])("runProcess() of a program that %s", async (_title, script, code, detail, retry) => {
  expect(await sh(script)).toMatchObject({
    ok: false,
    error: { code, detail: expect.stringMatching(detail) as string },
    retry: { kind: retry },
  });
});

test.each([["/nowhere/at/all"], ["no-such-program-here"], ["/etc/passwd"], [tmpdir()]])(
  "runProcess() says that %s cannot be run",
  async (program) => {
    const work = { kind: "process" as const, command: [program] };
    const result = await runExternalWork(work, anOrder("{}"), { log: () => {} });
    expect(result).toMatchObject({ ok: false, error: { code: "environment_misconfigured" } });
  },
);

test("runProcess() does not mind a program that never reads a long input", async () => {
  expect(await sh("echo 1", { input: JSON.stringify("x".repeat(5_000_000)) })).toMatchObject({ ok: true, output: "1" });
});

test("runProcess() kills a program that writes without an end, at once and without keeping it", async () => {
  const before = process.memoryUsage().rss;
  const result = await sh("yes '0123456789012345678901234567890123456789'", { timeoutMs: 60_000 });
  expect(result).toMatchObject({ ok: false, error: { code: "output_too_large" } });
  expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
});

test("runProcess() keeps a bounded log of a program that complains without an end", async () => {
  const result = await sh("yes complaint | head -100000 >&2; yes | tr -d '\\n' | head -c 3000000 >&2; echo 1");
  expect(result.ok).toBe(true);
  expect(result.logs).toHaveLength(201);
  expect(result.logs.at(-1)?.message).toMatch(/More than 200 lines/);
});

describe.skipIf(process.platform !== "linux")("runProcess() leaves nothing behind", () => {
  test("of a program that forks and ignores SIGTERM", async () => {
    const script = "trap '' TERM; (trap '' TERM; sleep 60) & echo $! > $1/stubborn; while :; do sleep 1; done";
    const began = Date.now();
    expect(await sh(script, { timeoutMs: 300 })).toMatchObject({ ok: false, error: { code: "timeout" } });
    expect(Date.now() - began).toBeLessThan(30_000);
    expect(alive("stubborn")).toBe(false);
  });

  test("of a program that prints its answer and hangs", async () => {
    const began = Date.now();
    expect(await sh("echo 1; exec sleep 60", { timeoutMs: 300 })).toMatchObject({ error: { code: "timeout" } });
    expect(Date.now() - began).toBeLessThan(30_000);
  });

  test("of a program that leaves a daemon in a session of its own, holding the pipes", async () => {
    const began = Date.now();
    const script =
      "setsid sh -c 'echo $$ > $0/daemon; exec sleep 60' $1 & while [ ! -s $1/daemon ]; do sleep 0.05; done; echo 1";
    expect(await sh(script)).toMatchObject({ ok: true, output: "1" });
    expect(Date.now() - began).toBeLessThan(30_000);
    expect(alive("daemon")).toBe(false);
  });

  test("nor waits for one that has also cleared its environment, which it cannot find", async () => {
    const began = Date.now();
    const script =
      "setsid env -i /bin/sh -c 'echo $$ > $0/hidden; exec /bin/sleep 60' $1 & while [ ! -s $1/hidden ]; do sleep 0.05; done; echo 1";
    expect(await sh(script)).toMatchObject({ ok: true, output: "1" });
    expect(Date.now() - began).toBeLessThan(30_000);
    process.kill(Number(readFileSync(path.join(folder, "hidden"), "utf8")), "SIGKILL");
  });

  test("of a program whose result is not wanted any more", async () => {
    const cancellation = new Cancellation();
    const running = sh("sleep 60 & echo $! > $1/unwanted; echo ready >&2; wait", {
      cancellation,
      seen: { push: () => cancellation.request() } as unknown as string[],
    });
    expect(await running).toMatchObject({ ok: false, error: { code: "execution_cancelled" } });
    expect(alive("unwanted")).toBe(false);
  });
});

/** Following and waiting, in this process against a platform in memory: streams that break, refusals, what is shown. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createClient } from "../client.ts";
import { createOutput } from "../output.ts";
import { idOf, logEvent, logLine, stateEvent, viewOf } from "../testing/fake-executions.ts";
import { startFakePlatform, type FakePlatform } from "../testing/fake-platform.ts";
import { followExecution } from "./follow.ts";
import { parseWait, printResult } from "./wait.ts";

let platform: FakePlatform;
const ID = idOf(1);
const RUNNING = viewOf(1, { status: "running", attempt: 1 });
const DONE = viewOf(1, { status: "succeeded", attempt: 1 });

beforeEach(async () => {
  platform = await startFakePlatform();
});
afterEach(async () => {
  await platform.close();
});

function context(watched: boolean) {
  const said = { out: "", err: "", exit: 0 };
  const output = createOutput(
    { json: false, quiet: false },
    {
      out: (text) => void (said.out += text),
      bytes: async () => undefined,
      err: (text) => void (said.err += text),
      colour: false,
      watched,
      columns: undefined,
      terminal: false,
    },
  );
  const client = createClient({ url: platform.url, token: "sy_test" });
  return { said, client, output, exitWith: (code: number) => void (said.exit = code) };
}

describe("followExecution()", () => {
  test("comes back after a connection that breaks, and after one that ends early, from behind the last event", async () => {
    platform.executions.views.set(ID, RUNNING);
    platform.executions.events = [
      stateEvent(1, RUNNING),
      logEvent(1, logLine(1)),
      logEvent(1, logLine(2)),
      logEvent(1, logLine(3)),
      stateEvent(2, DONE),
    ];
    platform.executions.connections = [
      { send: 2, last: "cut" },
      { send: 1, last: "end" },
    ];
    const seen: string[] = [];
    for await (const happening of followExecution(context(false).client, ID)) {
      seen.push(happening.type === "log" ? happening.line.message : happening.execution.status);
    }
    expect(seen).toEqual(["running", "line 1", "line 2", "line 3", "succeeded"]);
    expect(platform.seen.length).toBeGreaterThanOrEqual(3);
  });

  test("gives up at once where it is refused", async () => {
    const following = followExecution(context(false).client, ID).next();
    await expect(following).rejects.toMatchObject({ code: "entity_not_found" });
    expect(platform.seen).toHaveLength(1);
  });
});

describe("printResult()", () => {
  test("prints the output alone where nobody watches, and asks for no events", async () => {
    platform.executions.views.set(ID, DONE);
    platform.executions.outputs.set(ID, '{"n":12345678901234567890}');
    const { said, ...rest } = context(false);
    await printResult(rest, ID, {});
    expect(said).toEqual({ out: '{"n":12345678901234567890}\n', err: "", exit: 0 });
    expect(platform.seen.map(({ path }) => path)).toEqual([`/executions/${ID}/output`]);
    expect(platform.seen[0]?.headers.prefer).toBe("wait=30");
  });

  test("shows states and log lines on stderr to a person who watches", async () => {
    platform.executions.views.set(ID, DONE);
    platform.executions.outputs.set(ID, "1");
    platform.executions.events = [
      stateEvent(1, viewOf(1)),
      stateEvent(2, RUNNING),
      logEvent(2, logLine(1)),
      stateEvent(3, RUNNING),
      stateEvent(4, DONE),
    ];
    const { said, ...rest } = context(true);
    await printResult(rest, ID, {});
    expect(said).toEqual({
      out: "1\n",
      err: "queued\nrunning, attempt 1\n09:00:01.250  line 1\nsucceeded\n",
      exit: 0,
    });
  });

  test("asks again while it has not ended", async () => {
    platform.executions.views.set(ID, RUNNING);
    platform.executions.outputs.set(ID, "1");
    platform.before = () => {
      if (platform.seen.length === 2) platform.executions.views.set(ID, DONE);
    };
    const { said, ...rest } = context(false);
    await printResult(rest, ID, {});
    expect(said.out).toBe("1\n");
    expect(platform.seen).toHaveLength(2);
  });

  test("tells an execution that failed with a code of the platform's from a platform in trouble", async () => {
    const error = { code: "executor_lost", detail: "Cannot finish: the executor was lost" } as const;
    platform.executions.views.set(ID, viewOf(1, { status: "dead", error }));
    const waiting = printResult(context(false), ID, {});
    await expect(waiting).rejects.toMatchObject({
      code: "executor_lost",
      hint: expect.stringContaining(`opctl replay ${ID}`),
    });
    expect(platform.seen.map(({ path }) => path)).toEqual([`/executions/${ID}/output`, `/executions/${ID}`]);
  });

  test("ends at its limit with a time-out that says how to go on", async () => {
    platform.executions.views.set(ID, RUNNING);
    const waiting = printResult(context(false), ID, { limitMs: 30 });
    await expect(waiting).rejects.toMatchObject({
      code: "timeout",
      hint: expect.stringMatching(
        `^It goes on\\.\nopctl get execution ${ID} .*\nopctl logs ${ID} --follow .*\nopctl cancel ${ID} `,
      ),
    });
  });
});

test("parseWait() refuses what is no duration with how to write it", () => {
  expect(parseWait(true)).toEqual({});
  expect(parseWait("2m")).toEqual({ limitMs: 120_000 });
  expect(() => parseWait("echo")).toThrow(
    expect.objectContaining({ code: "usage", hint: expect.stringContaining("--wait=10s") }),
  );
});

/** Real servers, started, asked and ended. */
import net from "node:net";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Cancellation } from "../../core/cancellation.ts";
import { splitFrame } from "../../model/frame.ts";
import type { HttpAnswerHead } from "../../model/host-protocol.ts";
import type { ReplicaReport } from "../../model/services.ts";
import { anOrder, lives, NO_PROGRAM, someReplicas, type Order } from "./_server.test-help.node.ts";
import type { Replicas } from "./replicas.node.ts";

const open: Replicas[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((replicas) => replicas.close(0)));
});

function setUp(more: Parameters<typeof someReplicas>[0] = {}) {
  const made = someReplicas(more);
  open.push(made.replicas);
  return made;
}

type Asking = {
  method?: string;
  body?: string;
  timeoutMs?: number;
  cancellation?: Cancellation;
  headers?: Record<string, string>;
};

function ask(replicas: Replicas, replica: string, path: string, asking: Asking = {}) {
  const { method = "GET", body = "", timeoutMs = 5_000, headers = {}, cancellation } = asking;
  return replicas.request({ work: { do: "request", replica, method, path, headers }, body, timeoutMs, cancellation });
}

async function text(replicas: Replicas, replica: string, path: string, asking: Asking = {}): Promise<string> {
  const result = await ask(replicas, replica, path, asking);
  if (!result.ok) throw new TypeError(`${result.error.code}: ${result.error.detail}`);
  return splitFrame(result.output)[1];
}

async function code(replicas: Replicas, replica: string, path: string, asking: Asking = {}): Promise<string> {
  const result = await ask(replicas, replica, path, asking);
  return result.ok ? "ok" : result.error.code;
}

function one(replicas: Replicas, replica: string): ReplicaReport | undefined {
  return replicas.reports().find((report) => report.replica === replica);
}

async function until(what: string, { changed }: { changed: () => Promise<void> }, look: () => boolean): Promise<void> {
  while (!look()) await changed();
  expect(look(), what).toBe(true);
}

describe("start()", () => {
  test("answers once it is ready, and it can be asked", async () => {
    const { replicas, lines } = setUp();
    const report = await replicas.start(anOrder("a"));
    expect(report).toMatchObject({
      replica: "a",
      service: "shop",
      revision: "r1",
      place: "desk",
      status: "ready",
      address: null,
      count: 1,
      ready: 1,
      ended: null,
    });
    expect(await text(replicas, "a", "/x?y=1", { method: "POST", body: "žluť" })).toBe("POST /x?y=1 žluť");
    expect(lines).toContain("shop a: hello of a");
  });

  test("twice at once starts one, and again later answers the same", async () => {
    const { replicas } = setUp();
    const reports = await Promise.all([replicas.start(anOrder("a")), replicas.start(anOrder("a"))]);
    expect(reports.map(({ status }) => status)).toEqual(["ready", "ready"]);
    const pid = await text(replicas, "a", "/env");
    expect(await replicas.start(anOrder("a"))).toMatchObject({ status: "ready" });
    expect(await text(replicas, "a", "/env")).toBe(pid);
    expect(replicas.reports()).toHaveLength(1);
  });

  test("two get ports of their own", async () => {
    const { replicas } = setUp();
    await Promise.all(["a", "b", "c"].map((name) => replicas.start(anOrder(name))));
    const ports = await Promise.all(
      ["a", "b", "c"].map(async (name) => envOf(await text(replicas, name, "/env"))["PORT"]),
    );
    expect(new Set(ports).size).toBe(3);
  });

  test("says who has the port that it must have", async () => {
    const { replicas } = setUp();
    const server = net.createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as net.AddressInfo;
    const start = (replica: string, service = "shop") => replicas.start({ ...anOrder(replica, [], { port }), service });
    await expect(start("a")).rejects.toThrow("a program has it that no runner of ours has started: start a second");
    await new Promise((resolve) => server.close(resolve));
    await start("a");
    await expect(start("b")).rejects.toThrow("the service's own a has it until another is ready: start a second");
    await expect(start("c", "store")).rejects.toThrow('a of the service "shop" has it: start a second runner');
  });

  test("gives it nothing of the runner's, and keeps secrets out of what it says", async () => {
    process.env["TEST_OF_RUNNER"] = "x";
    const { replicas, lines } = setUp();
    const report = await replicas.start(anOrder("a"));
    delete process.env["TEST_OF_RUNNER"];
    const env = envOf(await text(replicas, "a", "/env"));
    const { cwd, ...variables } = env;
    expect(Object.keys(variables).toSorted()).toEqual([
      "HOME",
      "HOST",
      "KEY",
      "LANG",
      "MODE",
      "PATH",
      "PORT",
      "SWITCHYARD_REPLICA",
      "SWITCHYARD_RUN",
      "SWITCHYARD_SERVICE",
      "TMPDIR",
    ]);
    expect(variables).toMatchObject({ HOST: "127.0.0.1", KEY: "sesame-open", HOME: cwd, SWITCHYARD_SERVICE: "shop" });
    expect(report.lines).toContain("secret [secret]");
    expect(lines.join("\n")).not.toContain("sesame-open");
    await replicas.stop({ do: "stop", service: "shop", replica: "a", grace_ms: 1_000 });
    expect(existsSync(cwd ?? "")).toBe(false);
  });

  test("one that is never healthy ends, and says what was wrong", async () => {
    const { replicas } = setUp();
    const health = { ...anOrder("").spec.health, start_ms: 700 };
    const report = await replicas.start(anOrder("a", ["--sick"], { health }));
    expect(report).toMatchObject({
      status: "ended",
      ended: "it was not healthy within 700 ms: GET /health answers 503",
    });
    expect(report.lines).toContain("hello of a");
    expect(await replicas.start(anOrder("a"))).toEqual(report);
  });

  test("one that never listens ends", async () => {
    const { replicas } = setUp();
    const health = { ...anOrder("").spec.health, path: null, start_ms: 500 };
    const report = await replicas.start(anOrder("a", ["--silent"], { health }));
    expect(report.ended).toMatch(/^it was not healthy within 500 ms: nothing listens on port \d+$/);
  });

  test("one that dies before it is ready ends with its exit code and last words", async () => {
    const { replicas } = setUp();
    const report = await replicas.start(anOrder("a", ["--dies", "7"]));
    expect(report).toMatchObject({ status: "ended", ended: "it ended with exit code 7 before it was ready" });
    expect(report.lines).toContain("cannot go on");
  });

  test.each<[string, Partial<Order["spec"]>, string, RegExp]>([
    ["a program that is not there", processOf("/none"), "environment_misconfigured", /program "\/none" must be there/],
    ["what is no program", processOf(NO_PROGRAM), "environment_misconfigured", /it is no program/],
    [
      "a folder that is not there",
      processOf(process.execPath, "/none"),
      "environment_misconfigured",
      /working_directory/,
    ],
    ["what runs elsewhere", { run: { address: "http://x" } }, "environment_misconfigured", /a process or a container/],
  ])("refuses %s, and can be asked again", async (_what, spec, wanted, detail) => {
    const { replicas } = setUp();
    const started = replicas.start(anOrder("a", [], spec));
    await expect(started).rejects.toMatchObject({ code: wanted, message: expect.stringMatching(detail) as string });
    expect(replicas.reports()).toEqual([]);
    expect(await replicas.start(anOrder("a"))).toMatchObject({ status: "ready" });
  });

  test("refuses a port that somebody has", async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const { replicas } = setUp();
    await expect(replicas.start(anOrder("a", [], { port }))).rejects.toMatchObject({ code: "environment_unavailable" });
    server.close();
    await once(server, "close");
    expect(await replicas.start(anOrder("a", [], { port }))).toMatchObject({ status: "ready" });
    await expect(replicas.start(anOrder("b", [], { port }))).rejects.toMatchObject({ code: "environment_unavailable" });
  });

  test("that finds its port taken meanwhile is tried once more with another", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "switchyard-taken-"));
    const file = path.join(folder, "port");
    const { replicas, lines } = setUp();
    expect(await replicas.start(anOrder("a", ["--taken", file]))).toMatchObject({ status: "ready" });
    const env = envOf(await text(replicas, "a", "/env"));
    expect(env["PORT"]).not.toBe(readFileSync(file, "utf8"));
    expect(lines.join("\n")).toMatch(/shop a: port \d+ was taken meanwhile; trying another/);
    rmSync(folder, { recursive: true });
  });

  test("runs in the folder that the row names", async () => {
    const { replicas } = setUp();
    const { run } = anOrder("").spec;
    if (run === null || !("process" in run)) throw new TypeError("it is a process");
    const inTmp = { process: { ...run.process, working_directory: tmpdir() } };
    await replicas.start(anOrder("a", [], { run: inTmp }));
    expect(envOf(await text(replicas, "a", "/env"))["cwd"]).toBe(realpathSync(tmpdir()));
  });

  test("without a folder for its notes, says so and starts it", async () => {
    const { replicas, lines } = setUp({ stateFolder: path.join(NO_PROGRAM, "state") });
    expect(lines[0]).toMatch(/^what this runner starts is not noted/);
    expect(await replicas.start(anOrder("a"))).toMatchObject({ status: "ready" });
  });

  test("with an address of the machine, tells it", async () => {
    const { replicas } = setUp({ serviceHost: "127.0.0.2" });
    const { address } = await replicas.start(anOrder("a"));
    expect(address).toMatch(/^http:\/\/127\.0\.0\.2:\d+$/);
    expect(await (await fetch(`${address}/x`)).text()).toBe("GET /x ");
  });
});

describe("request()", () => {
  test("carries method, headers, status and body", async () => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a"));
    const result = await ask(replicas, "a", "/x?status=404", {
      method: "PUT",
      body: "b",
      headers: { Connection: "close" },
    });
    const [head, body] = splitFrame(result.ok ? result.output : "");
    const { status, headers } = JSON.parse(head) as HttpAnswerHead;
    expect([status, body]).toEqual([404, "PUT /x?status=404 b"]);
    expect(headers).toMatchObject({ "x-pid": expect.any(String) as string });
    expect(Object.keys(headers)).not.toContain("transfer-encoding");
  });

  test.each([
    ["/cut", "executor_lost"],
    ["/upgrade", "executor_lost"],
    ["/exit", "executor_lost"],
    ["/bytes", "output_not_json"],
    ["/large", "output_too_large"],
    ["/hang", "timeout"],
  ])("%s is %s", async (path, wanted) => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a"));
    expect(await code(replicas, "a", path, { timeoutMs: 400 })).toBe(wanted);
  });

  test("to none, or to one that has ended, says that nothing has run", async () => {
    const state = setUp();
    const { replicas } = state;
    expect(await code(replicas, "none", "/")).toBe("environment_unavailable");
    await replicas.start(anOrder("a"));
    await code(replicas, "a", "/exit");
    await until("it has ended", state, () => one(replicas, "a")?.status === "ended");
    expect(await code(replicas, "a", "/")).toBe("environment_unavailable");
  });

  test("ends when nobody wants it", async () => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a"));
    const cancellation = new Cancellation();
    const asked = code(replicas, "a", "/hang", { cancellation });
    cancellation.request();
    expect(await asked).toBe("execution_cancelled");
  });
});

describe("while it runs", () => {
  test("failing its health, it is unready and lives; well again, it is ready", async () => {
    const state = setUp();
    const { replicas } = state;
    await replicas.start(anOrder("a"));
    await text(replicas, "a", "/sick");
    await until("unready", state, () => one(replicas, "a")?.status === "unready");
    expect(one(replicas, "a")).toMatchObject({ ready: 0, ended: null });
    await text(replicas, "a", "/well");
    await until("ready", state, () => one(replicas, "a")?.status === "ready");
  });

  test("one that dies is told with how, until that was told", async () => {
    const state = setUp();
    const { replicas } = state;
    await replicas.start(anOrder("a"));
    await code(replicas, "a", "/exit");
    await until("ended", state, () => one(replicas, "a")?.status === "ended");
    expect(one(replicas, "a")?.ended).toBe("it ended with exit code 3");
    replicas.told(replicas.reports());
    expect(replicas.reports()).toEqual([]);
    expect(await replicas.start(anOrder("a"))).toMatchObject({ status: "ended" });
  });

  test.skipIf(process.platform !== "linux")(
    "tells what share of a core it uses",
    async () => {
      const { replicas } = setUp();
      await replicas.start(anOrder("a"));
      const busy = async () => {
        await text(replicas, "a", "/busy");
        return one(replicas, "a")?.cpu ?? 0;
      };
      await expect.poll(busy, { timeout: 20_000, interval: 1 }).toBeGreaterThan(0.05);
      expect(one(replicas, "a")?.cpu).toBeLessThanOrEqual(1);
    },
    30_000,
  );

  test("draining, none counts as ready and none is started", async () => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a"));
    replicas.drain();
    expect(one(replicas, "a")).toMatchObject({ status: "unready", ready: 0 });
    await expect(replicas.start(anOrder("b"))).rejects.toMatchObject({ code: "environment_unavailable" });
    expect(await code(replicas, "a", "/")).toBe("ok");
  });
});

describe("stop()", () => {
  test("resolves once it is gone; again, and of none, too", async () => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a"));
    const pid = Number(await pidOf(replicas, "a"));
    await Promise.all([replicas.stop(stop("a", 5_000)), replicas.stop(stop("a", 5_000))]);
    expect(lives(pid)).toBe(false);
    expect(one(replicas, "a")).toMatchObject({ status: "ended", ended: "it was stopped" });
    await replicas.stop(stop("a", 0));
    await replicas.stop(stop("none", 0));
  });

  test("of a service stops none of another's, nor keeps it from starting", async () => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a"));
    await expect(replicas.stop({ ...stop("a", 0), service: "mall" })).rejects.toMatchObject({
      code: "environment_forbids",
    });
    expect(one(replicas, "a")?.status).toBe("ready");
    await replicas.stop({ ...stop("b", 0), service: "mall" });
    expect(await replicas.start(anOrder("b"))).toMatchObject({ status: "ready" });
  });

  test("one that does not hear SIGTERM is killed after its grace", async () => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a", ["--deaf"]));
    const pid = Number(await pidOf(replicas, "a"));
    const startedAt = performance.now();
    await replicas.stop(stop("a", 300));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
    expect(lives(pid)).toBe(false);
  });

  test.each([
    ["back", -3_600_000],
    ["forward", 3_600_000],
  ])("a clock that is put %s an hour meanwhile makes its grace no other", async (_where, byMs) => {
    const { replicas } = setUp();
    await replicas.start(anOrder("a", ["--deaf"]));
    const startedAt = performance.now();
    const stopped = replicas.stop(stop("a", 300));
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + byMs);
    await stopped;
    clock.mockRestore();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
  });

  test.each(["stop", "exit"])("leaves no child behind: %s", async (way) => {
    const state = setUp();
    const { replicas } = state;
    const report = await replicas.start(anOrder("a", ["--child"]));
    const said = report.lines.find((line) => line.startsWith("child"));
    const child = Number(said?.slice(6));
    expect(lives(child)).toBe(true);
    if (way === "stop") await replicas.stop(stop("a", 300));
    else await code(replicas, "a", "/exit");
    await until("ended", state, () => one(replicas, "a")?.status === "ended");
    expect(lives(child)).toBe(false);
  });

  test("while it starts ends the start", async () => {
    const state = setUp();
    const { replicas } = state;
    const started = replicas.start(anOrder("a", ["--sick"]));
    await state.changed();
    await replicas.stop(stop("a", 1_000));
    expect(await started).toMatchObject({ status: "ended", ended: "it was stopped" });
  });

  test("that comes before the start keeps it from starting", async () => {
    const { replicas } = setUp();
    await replicas.stop(stop("a", 0));
    expect(await replicas.start(anOrder("a"))).toMatchObject({ status: "ended", ended: "it was stopped" });
    expect(replicas.reports()).toEqual([]);
  });
});

function stop(replica: string, graceMs: number) {
  return { do: "stop", service: "shop", replica, grace_ms: graceMs } as const;
}

function processOf(program: string, directory: string | null = null): Partial<Order["spec"]> {
  return { run: { process: { command: [program], working_directory: directory } } };
}

function envOf(body: string): Record<string, string> {
  return JSON.parse(body) as Record<string, string>;
}

async function pidOf(replicas: Replicas, replica: string): Promise<string | undefined> {
  const result = await ask(replicas, replica, "/x");
  return (JSON.parse(splitFrame(result.ok ? result.output : "{}")[0]) as HttpAnswerHead).headers["x-pid"];
}

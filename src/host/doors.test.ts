/** Each door as the program that an image, a job or Lambda runs: bundled, in a process of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { bundleHost, type HostDoor } from "../../cli/build/host.ts";
import { packageFolder } from "../../cli/build/workers.ts";
import { parseReply } from "../model/host-protocol.ts";
import { FakePlatform, moduleOrder } from "./_fake-platform.test-help.node.ts";
import { runJobDoor } from "./job-door.node.ts";

// Compilers and processes on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let folder: string;
const files: Record<string, string> = {};
const children: ChildProcess[] = [];
let platform: FakePlatform;

beforeAll(async () => {
  // Elsewhere, so that no package of this repository is in reach.
  folder = mkdtempSync(path.join(tmpdir(), "switchyard-doors-"));
  for (const door of ["http", "job", "lambda"] as const satisfies HostDoor[]) {
    files[door] = path.join(folder, `${door}.mjs`);
    writeFileSync(files[door], await bundleHost(packageFolder(), door));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => void (platform = await new FakePlatform().start()));
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  platform.close();
});

function start(args: string[], env: Record<string, string>) {
  // Node by its own word: the bundles stand where no Deno is.
  const child = spawn(process.execPath, args, {
    env: { PATH: "/usr/bin:/bin", SWITCHYARD_HOST_RUNTIME: "node", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (printed += String(piece)));
  const ended = new Promise<number | null>((resolve) => void child.once("close", resolve));
  return { child, ended, printed: () => printed };
}

const listening = async (env: Record<string, string> = {}) => {
  const host = start([files["http"] ?? ""], { PORT: "0", HOST: "127.0.0.1", SWITCHYARD_HOST_SECRET: "s", ...env });
  await expect.poll(host.printed, { timeout: 10_000 }).toContain("listens at");
  const [url = ""] = /http:\/\/[0-9.:]+/.exec(host.printed()) ?? [];
  const post = (order: string, init: RequestInit = {}) =>
    fetch(`${url}/run`, { method: "POST", body: order, headers: { "switchyard-host-secret": "s" }, ...init });
  return { ...host, url, post };
};

const job = () =>
  start([files["job"] ?? ""], { SWITCHYARD_JOB_URL: `${platform.url}/jobs/j`, SWITCHYARD_JOB_TOKEN: "ticket" });

const invoke = async (event: object, env: Record<string, string> = {}) => {
  const script = `const { handler } = await import(process.argv[1]); try { process.stdout.write(JSON.stringify(await handler(JSON.parse(process.argv[2])))) } catch (e) { process.stdout.write("threw " + e.message) } process.exit(0)`;
  const args = ["--input-type=module", "--eval", script, files["lambda"] ?? "", JSON.stringify(event)];
  const { ended, printed } = start(args, { SWITCHYARD_HOST_RUNTIME: "any", ...env });
  await ended;
  return printed();
};

const replyIn = (printed: string) => parseReply((JSON.parse(printed) as { reply: string }).reply);

const FAILS = "throw Object.assign(new Error('no film'), { code: 'terminal' })";
const ENDS = [
  ["an echo", "return input", { ok: true, output: '{"n":1}' }],
  ["a failure", FAILS, { ok: false, error: { detail: "no film" }, retry: { kind: "never" } }],
] as const;

describe("the http door", () => {
  it.each(ENDS)("answers %s", async (_what, code, expected) => {
    const { post, url } = await listening();
    const answer = await post(moduleOrder({ code }));
    expect(parseReply(await answer.text())).toMatchObject({ result: expected });
    expect((await fetch(`${url}/api/run`, { method: "POST" })).status).toBe(401);
    expect(await (await fetch(`${url}/api/health`)).json()).toMatchObject({ runtime: "node" });
  });

  it("finishes what runs when it is told to stop, takes nothing new, and ends with 0", async () => {
    const { post, url, child, ended, printed } = await listening();
    const code = "await ctx.call('begun', {}); await new Promise((r) => setTimeout(r, 500)); return 'whole'";
    const running = post(moduleOrder({ code, platformUrl: platform.url }));
    await expect.poll(() => platform.bearers.size).toBe(1);
    child.kill("SIGTERM");
    expect(await (await running).text()).toContain('"whole"');
    expect(await ended).toBe(0);
    expect(printed()).toContain("drained");
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  it("stops the work of a caller that leaves", async () => {
    const { post } = await listening();
    const abort = new AbortController();
    const code = `ctx.signal.addEventListener("abort", () => ctx.call("aborted", {}));
      await ctx.call("begun", {}); await new Promise(() => {})`;
    const left = post(moduleOrder({ code, platformUrl: platform.url }), { signal: abort.signal });
    await expect.poll(() => platform.called).toEqual(["/ops/begun"]);
    abort.abort();
    await expect(left).rejects.toThrow();
    await expect.poll(() => platform.called).toEqual(["/ops/begun", "/ops/aborted"]);
  });

  it.each([
    ["without a secret", { SWITCHYARD_HOST_SECRET: "" }, "SWITCHYARD_HOST_SECRET must be set"],
    ["on what is no port", { PORT: "http" }, 'Cannot listen on port "http"'],
    ["with a runtime that there is not", { SWITCHYARD_HOST_RUNTIME: "bun" }, 'Cannot run modules on "bun"'],
    ["with Deno where there is none", { SWITCHYARD_HOST_RUNTIME: "deno" }, "the host needs Deno"],
    ["with words that allow nothing", { SWITCHYARD_HOST_ALLOW: "modules" }, 'Cannot allow "modules"'],
    ["with slots that are none", { SWITCHYARD_HOST_SLOTS: "0" }, "SWITCHYARD_HOST_SLOTS"],
  ])("does not start %s, and says why", async (_what, env, said) => {
    const { ended, printed } = start([files["http"] ?? ""], { PORT: "0", SWITCHYARD_HOST_SECRET: "s", ...env });
    expect(await ended).toBe(2);
    expect(printed()).toContain(said);
  });
});

describe("the job door", () => {
  it.each(ENDS)("fetches its order and reports %s", async (_what, code, expected) => {
    platform.order = moduleOrder({ code });
    const { ended, printed } = job();
    expect([await ended, printed()]).toEqual([0, "job: reported\n"]);
    expect(platform.reports.map(parseReply)).toMatchObject([{ result: expected }]);
    expect(platform.bearers).toEqual(new Set(["Bearer ticket"]));
  });

  it("reports that it was lost when its place stops it", async () => {
    const code = "await ctx.call('begun', {}); await new Promise(() => {})";
    platform.order = moduleOrder({ code, platformUrl: platform.url });
    const { child, ended } = job();
    await expect.poll(() => platform.called, { timeout: 10_000 }).toEqual(["/ops/begun"]);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(platform.reports.map(parseReply)).toMatchObject([{ result: { error: { code: "executor_lost" } } }]);
  });

  it("ends with 1 when its ticket is refused, and with 2 when it has none", async () => {
    platform.refusals = [403];
    expect(await job().ended).toBe(1);
    const { ended, printed } = start([files["job"] ?? ""], {});
    expect(await ended).toBe(2);
    expect(printed()).toContain("SWITCHYARD_JOB_URL");
  });

  it.each([
    [
      "is fetched and reported again while the platform is away",
      [503, 500],
      [503, 429],
      "reported",
      [250, 500, 250, 500],
    ],
    ["is not reported where the platform has closed it", [], [409], "refused", []],
  ])("a job %s, and runs once", async (_what, fetching, reporting, end, pauses) => {
    platform.refusals = [...fetching];
    const slept: number[] = [];
    let runs = 0;
    const run = async () => {
      runs += 1;
      platform.refusals = [...reporting];
      return "reply";
    };
    const options = { url: `${platform.url}/jobs/j`, token: "t", log: () => undefined };
    const sleep = async (ms: number) => void slept.push(ms);
    expect(await runJobDoor({ run, close: async () => undefined }, { ...options, sleep })).toBe(end);
    expect([runs, slept]).toEqual([1, pauses]);
  });

  it("a job whose platform stays away gives up", async () => {
    const slept: number[] = [];
    const end = await runJobDoor(
      { run: () => Promise.reject(new Error("not to be run")), close: async () => undefined },
      {
        url: "http://127.0.0.1:9/jobs/j",
        token: "t",
        log: () => undefined,
        sleep: async (ms) => void slept.push(ms),
        fetch: () => Promise.reject(new TypeError("fetch failed")),
      },
    );
    expect(end).toBe("unreached");
    expect(slept).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });
});

describe("the Lambda door", () => {
  it.each(ENDS)("answers an order with the reply of %s", async (_what, code, expected) => {
    expect(replyIn(await invoke({ order: moduleOrder({ code }) }))).toMatchObject({ result: expected });
  });

  it("puts an output that Lambda would not carry", async () => {
    const code = "return 'x'.repeat(6 * 1024 * 1024)";
    const reply = replyIn(await invoke({ order: moduleOrder({ code, platformUrl: platform.url }) }));
    expect(reply).toMatchObject({ kind: "output_artifact" });
    expect(platform.artifacts.get("ar_1")?.body.length).toBe(6 * 1024 * 1024 + 2);
  });

  it("runs a job, and refuses what is neither", async () => {
    platform.order = moduleOrder({ code: "return 5" });
    const printed = await invoke({ job_url: `${platform.url}/jobs/j`, job_token: "ticket" });
    expect(printed).toContain('{"end":"reported"}');
    expect(platform.reports.map(parseReply)).toMatchObject([{ result: { ok: true, output: "5" } }]);
    expect(await invoke({ Records: [] })).toContain("threw Cannot read the event");
  });
});

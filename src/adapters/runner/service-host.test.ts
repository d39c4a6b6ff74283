import { describe, expect, test } from "vitest";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { splitFrame } from "../../model/frame.ts";
import type { HostOrder } from "../../model/host-protocol.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { PoolOrder, RunnerView } from "../../model/runner-protocol.ts";
import { HEALTH_DEFAULTS, type ReplicaReport, type ReplicaSpec } from "../../model/services.ts";
import type { ServiceHost } from "../service-host.ts";
import { runnerAdapter } from "./runner.ts";

const environment = environmentOf("rack-1", { adapter: "runner", capabilities: { zone: "cellar" } });

function runner(name: string, services: Record<string, number> = {}, more: Partial<RunnerView> = {}): RunnerView {
  const replicas = Object.values(services).reduce((sum, count) => sum + count, 0);
  const runs = ["process", "replica"];
  const plain = {
    version: "1",
    slots: 1,
    in_flight: 0,
    capabilities: {},
    state: "connected",
    last_seen_at: 0,
  } as const;
  return { ...plain, name, replicas, services, runs, ...more };
}

const spec: ReplicaSpec = {
  run: { process: { command: ["server"], working_directory: null } },
  variables: {},
  port: null,
  health: HEALTH_DEFAULTS,
  requires: {},
  stop_ms: 1_000,
};
const order = (replica: string, more: Partial<ReplicaSpec> = {}) => ({
  service: "shop",
  replica,
  revision: "r1",
  count: 1,
  spec: { ...spec, ...more },
});

function setUp(runners: readonly RunnerView[], run: (order: PoolOrder) => Promise<string | Outcome> = async () => "") {
  const orders: PoolOrder[] = [];
  const { services } = runnerAdapter({
    ...fakePorts(),
    pool: () => ({
      run: (each) => {
        orders.push(each);
        return run(each);
      },
      cancel: async () => undefined,
      status: async () => ({ runners: [...runners], queued: 0 }),
    }),
  });
  if (services === undefined) throw new TypeError("it has services");
  const place = async (...asked: Parameters<NonNullable<ServiceHost["place"]>>) =>
    (await services.place?.(...asked)) ?? "";
  return { host: services, place, orders };
}

const headOf = ({ order: frame }: PoolOrder) => JSON.parse(splitFrame(frame)[0]) as HostOrder;
const reply = (output: unknown) => `{"ok":true,"logs":[]}\n${JSON.stringify(output)}`;
const refusal = (code: string) =>
  `{"ok":false,"error":{"code":"${code}","detail":"no"},"retry":{"kind":"may"},"logs":[]}\n`;
const unstarted = (code: "environment_unavailable" | "execution_cancelled"): Outcome => ({
  ok: false,
  error: { code, detail: "no" },
  retry: { kind: "may" },
  logs: [],
  unstarted: true,
});

describe("place()", () => {
  test.each<[string, RunnerView[], Partial<ReplicaSpec>, string]>([
    ["the only one", [runner("a")], {}, "a"],
    ["the one with the fewest of the service", [runner("a", { shop: 2 }), runner("b", { shop: 1, x: 9 })], {}, "b"],
    ["among those, the one with the fewest of all", [runner("a", { x: 2 }), runner("b", { x: 1 })], {}, "b"],
    [
      "one that has what it requires",
      [runner("a"), runner("b", { shop: 3 }, { capabilities: { gpu: true } })],
      { requires: { gpu: true } },
      "b",
    ],
    ["one by what the environment's row says of all", [runner("a")], { requires: { zone: "cellar" } }, "a"],
    ["none that drains", [runner("a", {}, { state: "draining" }), runner("b", { shop: 1 })], {}, "b"],
    ["none that is lost", [runner("a", {}, { state: "lost" }), runner("b", { shop: 1 })], {}, "b"],
    [
      "none that runs no programs",
      [runner("a", {}, { runs: ["container", "replica"] }), runner("b", { shop: 1 })],
      {},
      "b",
    ],
    [
      "one for containers",
      [runner("a"), runner("b", { shop: 1 }, { runs: ["container", "replica"] })],
      { run: { container: { image: "i", command: null } } },
      "b",
    ],
  ])("takes %s", async (_what, runners, more, name) => {
    expect(await setUp(runners).place(order("r1", more), environment)).toBe(name);
  });

  test("spreads those that are placed at once", async () => {
    const { place } = setUp([runner("a"), runner("b"), runner("c")]);
    const places = await Promise.all(["1", "2", "3", "4", "5", "6"].map((name) => place(order(name), environment)));
    expect(places.toSorted((one = "", other = "") => one.localeCompare(other))).toEqual(["a", "a", "b", "b", "c", "c"]);
  });

  test("forgets a placing when its start is over", async () => {
    const { place, host } = setUp([runner("a"), runner("b")], async () => refusal("environment_unavailable"));
    expect(await place(order("1"), environment)).toBe("a");
    await expect(host.start({ ...order("1"), place: "a" }, environment)).rejects.toMatchObject({
      code: "environment_unavailable",
    });
    expect(await place(order("2"), environment)).toBe("a");
  });

  test.each<[RunnerView[], RegExp, RegExp]>([
    [[], /no runner is connected/, /rack-1 --allow 'process:server', on a machine that has what it needs$/],
    [
      [runner("a", {}, { runs: ["module"] })],
      /a: it does not run a process \(its --allow says module\)/,
      /rack-1 --name NAME --allow 'process:server', .* Or start again one of those/,
    ],
    [
      [runner("a", {}, { state: "draining" }), runner("b", {}, { state: "lost" })],
      /a: it is draining; b: its connection is lost/,
      /--name NAME/,
    ],
  ])("says why none can, and what to type", async (runners, why, hint) => {
    await expect(setUp(runners).place(order("r1"), environment)).rejects.toMatchObject({
      code: "environment_unavailable",
      message: expect.stringMatching(why) as string,
      hint: expect.stringMatching(hint) as string,
    });
  });
});

const report: ReplicaReport = {
  replica: "r1",
  service: "shop",
  revision: "r1",
  place: "somewhere else",
  status: "ready",
  address: null,
  cpu: null,
  count: 1,
  ready: 1,
  ended: null,
  lines: [],
};
const ref = { service: "shop", replica: "r1", place: "a", address: null };

describe("start(), stop(), observe()", () => {
  test("are orders for that runner, beside its slots", async () => {
    const { host, orders } = setUp([runner("a")], async (each) => {
      const { work } = headOf(each);
      if (work.kind !== "replica") throw new TypeError("it is a replica's");
      return reply(work.do === "start" ? report : work.do === "stop" ? null : [report]);
    });
    expect(await host.start({ ...order("r1"), place: "a" }, environment)).toEqual({ ...report, place: "a" });
    await host.stop({ ...ref, graceMs: 700 }, environment);
    expect(await host.observe({ service: "shop", run: null, replicas: [] }, environment)).toEqual([
      { ...report, place: "a" },
    ]);
    expect(orders).toMatchObject([
      { on: "a", beside: true, hold: false, runnable: "replica", execution: "start/r1", timeout_ms: 65_000 },
      { on: "a", beside: true, execution: "stop/r1", timeout_ms: 5_700 },
      { on: "a", beside: true },
    ]);
    expect(orders.map((each) => headOf(each).work)).toMatchObject([
      { do: "start", service: "shop", replica: "r1", revision: "r1" },
      { do: "stop", replica: "r1", grace_ms: 700 },
      { do: "observe", service: "shop" },
    ]);
  });

  test("on a runner that is gone: the start fails, the stop is done, the look finds nothing", async () => {
    const { host } = setUp([], async () => unstarted("environment_unavailable"));
    await expect(host.start({ ...order("r1"), place: "a" }, environment)).rejects.toMatchObject({
      code: "environment_unavailable",
    });
    await host.stop({ ...ref, graceMs: 0 }, environment);
    expect(await host.observe({ service: "shop", run: null, replicas: [ref] }, environment)).toEqual([]);
  });

  test("the look says what a runner that is there has no more, and nothing of one that is not", async () => {
    const { host } = setUp([runner("a")], async ({ on }) =>
      on === "a" ? reply([]) : unstarted("environment_unavailable"),
    );
    const elsewhere = { ...ref, replica: "r2", place: "b" };
    expect(await host.observe({ service: "shop", run: null, replicas: [ref, elsewhere] }, environment)).toMatchObject([
      { replica: "r1", place: "a", status: "ended", ended: "a has it no more" },
    ]);
  });

  test.each(["environment_forbids", "environment_misconfigured"])("a start says %s", async (code) => {
    const { host } = setUp([runner("a")], async () => refusal(code));
    await expect(host.start({ ...order("r1"), place: "a" }, environment)).rejects.toMatchObject({ code });
  });

  test("what is no report is refused, and says nothing of the others", async () => {
    const { host } = setUp([runner("a"), runner("b")], async ({ on }) =>
      reply(on === "a" ? [report] : [{ replica: 1 }]),
    );
    const look = host.observe({ service: "shop", run: null, replicas: [] }, environment);
    await expect(look).rejects.toMatchObject({ code: "implementation_failed" });
  });
});

describe("send()", () => {
  const request = {
    method: "POST",
    path: "/x",
    headers: {},
    body: "{}",
    timeoutMs: 900,
    execution: "ex_1",
    attempt: 1,
  };
  const send = (run: (order: PoolOrder) => Promise<string | Outcome>) => {
    const { host, orders } = setUp([runner("a")], run);
    return { sent: host.send({ ...ref, via: "environment" }, request, environment), orders };
  };

  test("carries the body as it is, both ways", async () => {
    const { sent, orders } = send(
      async () => '{"ok":true,"logs":[]}\n{"status":201,"headers":{"x":"y"}}\nnot "json"\n',
    );
    expect(await sent).toMatchObject({ kind: "answer", status: 201, text: 'not "json"\n' });
    expect(splitFrame(orders[0]?.order ?? "")[1]).toBe("{}");
    expect(orders[0]).toMatchObject({ on: "a", beside: true, timeout_ms: 900, wait_ms: 900 });
  });

  test("no two requests of one execution are ever joined", async () => {
    const [one, other] = [send(async () => ""), send(async () => "")];
    expect(one.orders[0]?.execution).not.toBe(other.orders[0]?.execution);
    await Promise.all([one.sent, other.sent]);
  });

  test.each<[string, () => Promise<string | Outcome>, string]>([
    ["a runner that is gone", async () => unstarted("environment_unavailable"), "not_sent"],
    ["one that was cancelled while it waited", async () => unstarted("execution_cancelled"), "not_sent"],
    ["a pool that breaks off", () => Promise.reject(new Error("reset")), "broken_off"],
    ["a port that takes no connection", async () => refusal("environment_unavailable"), "not_sent"],
    ["a connection that broke", async () => refusal("executor_lost"), "broken_off"],
    ["a time-out", async () => refusal("timeout"), "broken_off"],
    ["an answer that is too large", async () => refusal("output_too_large"), "too_large"],
    ["an answer that is no text", async () => refusal("output_not_json"), "not_text"],
    ["nonsense", async () => "nonsense", "broken_off"],
    ["a head that is none", async () => '{"ok":true,"logs":[]}\n{"status":7,"headers":{}}\n', "broken_off"],
    [
      "a header that is none",
      async () => '{"ok":true,"logs":[]}\n{"status":200,"headers":{"a b":"c"}}\n',
      "broken_off",
    ],
  ])("%s", async (_what, run, kind) => {
    expect(await send(run).sent).toMatchObject({ kind });
  });
});

describe("mayReach()", () => {
  test.each([
    [undefined, "http://10.0.0.5:4000", true],
    [undefined, "http://127.0.0.1:4000", false],
    [undefined, "http://[::1]:4000", false],
    [["127.0.0.1"], "http://127.0.0.1:4000", true],
    [["127.0.0.1"], "http://10.0.0.5:4000", false],
    [["fd00:0::5"], "http://[fd00::5]:4000", true],
    [[], "http://10.0.0.5:4000", false],
    [["10.0.0.5"], "http://metadata.internal:80", false],
  ])("with service_hosts %j, %s: %j", async (hosts, address, may) => {
    const row = environmentOf("rack-1", {
      adapter: "runner",
      config: hosts === undefined ? {} : { service_hosts: hosts },
    });
    const { host } = setUp([runner("a")]);
    expect(host.mayReach?.(address, row)).toBe(may);
    if (may) return;
    const request = { method: "GET", path: "/", headers: {}, timeoutMs: 900, execution: "ex_1", attempt: 1 };
    const sent = host.send({ ...ref, address, via: "direct" }, request, row);
    expect(await sent).toMatchObject({ kind: "not_sent", reason: expect.stringContaining("service_hosts") });
  });
});

/** Agents on the real platform: the example, followed by opctl, a fleet, and kill -9 between steps. */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childOf, install, ROOT, startDev, waitUntil, type Dev } from "./_platform.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  const deployed = await dev.opctl(["deploy", "examples/counters.ts#plus_one"]);
  expect(deployed.stderr + deployed.stdout).toContain("plus_one@1");
  expect((await dev.opctl(["apply", "-f", "examples/counters/"])).code).toBe(0);
});
afterAll(async () => {
  await dev.stop();
});

type Status = {
  phase: string;
  reason: string | null;
  state: { counters: Record<string, number> };
  plan: { steps: { status: string; execution_id: string }[] } | null;
};

async function status(name: string): Promise<Status> {
  return (await (await dev.request(`/agents/${name}/status`)).json()) as Status;
}

async function put(path: string, body: object): Promise<void> {
  const response = await dev.request(path, { method: "PUT", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
}

const target = (counters: Record<string, number>): string => JSON.stringify({ counters });

describe("an agent", () => {
  test("is planned for without being started", async () => {
    const { code, stdout } = await dev.opctl(["plan", "counters", "--target", target({ a: 3, b: 1 })]);
    expect(stdout.split("\n").slice(0, 4)).toEqual(["1. a + 1", "2. a + 1, after 1", "3. a + 1, after 2", "4. b + 1"]);
    expect(code).toBe(0);
    expect(await status("counters")).toMatchObject({ phase: "idle", state: { counters: { a: 0, b: 0 } } });
  });

  test("is followed to its target by opctl seek --wait", async () => {
    const { code, stderr } = await dev.opctl(["seek", "counters", "--target", target({ a: 3, b: 1 }), "--wait"]);
    expect(stderr).toMatch(/plan 1 +4 steps[^]*started +1\. a \+ 1[^]*state +\/counters\/a = 3[^]*reached/);
    expect(code).toBe(0);
    const { plan } = await status("counters");
    const id = plan?.steps[0]?.execution_id ?? "";
    const execution = (await (await dev.request(`/executions/${id}`)).json()) as object;
    expect(execution).toMatchObject({
      operation: "plus_one",
      caller: { type: "agent", id: "counters" },
      principal: "agent:counters",
    });
  });

  test("says that it cannot, with exit code 1", async () => {
    const { code, stderr } = await dev.opctl(["seek", "counters", "-t", target({ a: -1 }), "--wait"]);
    expect(stderr).toContain("unreachable: no way to /counters/a");
    expect(stderr).toContain(`opctl plan counters --target '${target({ a: -1 })}' --why`);
    expect(code).toBe(1);
    await dev.opctl(["agent", "stop", "counters"]);
    expect((await status("counters")).phase).toBe("stopped");
  });

  test("says what of a step's input does not fit", async () => {
    const row = { path: "/n", change: "any", operation: "plus_one", input: '{"path": 1, "value": "x"}' };
    await put("/registry/jobs/misfit", { name: "misfit", ...row });
    await put("/registry/agents/misfit", { name: "misfit", jobs: ["misfit"], retry: { max_failures: 1 } });
    const { code, stderr } = await dev.opctl(["seek", "misfit", "-t", '{"n": 1}', "--wait"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/plan 1 +1 step\n[^]*failed +1\. misfit \/n +input_invalid: .*; \/path: .*; \/value: /);
    const { stdout } = await dev.opctl(["agent", "status", "misfit"]);
    expect(stdout).toMatch(/\n1\. input_invalid: .*; \/path: .*; \/value: /);
  });

  test("is set no target, and told of no value, that it cannot keep", async () => {
    const text = "x".repeat(1_100_000);
    for (const [what, body] of Object.entries({ seek: { target: text }, sense: { path: "/big", value: text } })) {
      const response = await dev.request(`/agents/counters/${what}`, { method: "POST", body: JSON.stringify(body) });
      expect([what, response.status, ((await response.json()) as { code: string }).code]).toEqual([
        what,
        413,
        "payload_too_large",
      ]);
    }
    const put = { method: "PUT", body: JSON.stringify({ jobs: ["plus_one"], initial: text }) };
    expect((await dev.request("/registry/agents/large", put)).status).toBe(422);
  });

  test("is directed only by who has its rights", async () => {
    const created = await dev.opctl(["token", "create", "reader", "--scope", "registry:read", "--json"]);
    const { token } = JSON.parse(created.stdout) as { token: string };
    const body = JSON.stringify({ target: {} });
    for (const what of ["seek", "stop", "sense"]) {
      const response = await dev.request(`/agents/counters/${what}`, { method: "POST", body, token });
      expect([what, response.status]).toEqual([what, 403]);
    }
    expect((await dev.request("/agents/counters/status", { token })).status).toBe(200);
  });
});

test("a webhook tells an agent what is, and the agent sets it right", async () => {
  await put("/registry/agents/told", { jobs: ["plus_one"], initial: { counters: { a: 0 } } });
  expect((await dev.opctl(["seek", "told", "-t", target({ a: 2 }), "--wait"])).code).toBe(0);
  await put("/registry/webhooks/seen", {
    operation: "sense_agent",
    scheme: "none",
    unsigned: true,
    mapping: '{"name": "told", "path": "/counters/a", "value": body.n}',
  });
  const sent = await dev.request("/hooks/seen", { method: "POST", body: '{"n": 0}', token: null });
  expect([sent.status, await sent.text()]).toEqual([202, expect.anything()]);
  const plans = async (): Promise<unknown> => ((await status("told")).plan as unknown as { number: number }).number;
  await waitUntil(async () => (await plans()) === 2 && (await status("told")).phase === "reached", 10_000);
  expect((await status("told")).state).toEqual({ counters: { a: 2 } });
});

test("a sensor is read before a plan", async () => {
  await install(dev, "meter", "export function meter(input) { return input.is; }");
  await put("/registry/agents/sensing", {
    jobs: ["plus_one"],
    initial: { counters: { a: 0 } },
    sensors: [{ path: "/counters/a", operation: "meter", input: { is: 4 } }],
  });
  expect((await dev.opctl(["seek", "sensing", "-t", target({ a: 4 }), "--wait"])).code).toBe(0);
  expect(await status("sensing")).toMatchObject({ phase: "reached", plan: null, state: { counters: { a: 4 } } });
});

test("seek --wait ends for an agent that rests, or is deleted", async () => {
  const never = "export async function never() { await new Promise((end) => setTimeout(end, 60_000)); }";
  await install(dev, "never", never, { timeout_ms: 120_000, is_async: true });
  await put("/registry/jobs/never", { path: "/counters/:name", effect: "value + 1", operation: "never" });
  await put("/registry/agents/resting", { jobs: ["never"], initial: { counters: { a: 0 } }, active: false });
  const resting = await dev.opctl(["seek", "resting", "-t", target({ a: 1 }), "--wait"]);
  expect(resting.stderr).toContain("opctl edit agent resting -s active=true");
  expect(resting.code).toBe(1);
  await put("/registry/agents/deleted", { jobs: ["never"], initial: { counters: { a: 0 } } });
  const seeking = dev.opctl(["seek", "deleted", "-t", target({ a: 1 }), "--wait"]);
  await waitUntil(async () => (await status("deleted")).phase === "running", 20_000);
  expect((await dev.request("/registry/agents/deleted", { method: "DELETE" })).ok).toBe(true);
  const { code, stderr } = await seeking;
  expect(stderr).toContain('Cannot find the agent "deleted"');
  expect(code).toBe(4);
});

test("opctl get agent shows what it is at, and what it did last", async () => {
  const { stdout } = await dev.opctl([
    "get",
    "agent",
    "told",
    "-a",
    "phase",
    "-a",
    "plan",
    "-a",
    "last_run",
    "-a",
    "state",
  ]);
  expect(stdout).toMatch(/reached +\d+: \d+ of \d+ done +ex_\S+ +\{"counters":\{"a":2\}\}/);
});

test("a runner tells what it sees, as long as its operation runs", async () => {
  await put("/registry/environments/field", { adapter: "runner" });
  const code = `export async function thermometer({ agent, broken }, ctx) {
    for (let degrees = 1; degrees <= 1_000 && !ctx.signal.aborted; degrees++) {
      await ctx.call("sense_agent", { name: agent, path: "/degrees", value: degrees });
      if (degrees === broken) await ctx.call("sense_agent", { name: agent, path: "/counters/a", value: 0 });
      await new Promise((end) => setTimeout(end, 20));
    }
  }`;
  await install(dev, "thermometer", code, { environment: "field", is_async: true, timeout_ms: 120_000 });
  await put("/registry/agents/streamed", { jobs: ["plus_one"], initial: { counters: { a: 0 } } });
  expect((await dev.opctl(["seek", "streamed", "-t", target({ a: 1 }), "--wait"])).code).toBe(0);
  const runner = spawn(
    process.execPath,
    ["cli/opctl.js", "runner", "start", "--environment", "field", "--name", "pole"],
    {
      cwd: ROOT,
      env: { ...process.env, SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token },
      stdio: "ignore",
    },
  );
  try {
    const started = await dev.opctl(["call", "thermometer", 'agent:="streamed"', "broken:=3", "--async"]);
    expect(started.stderr).not.toContain("error");
    const { execution_id: id } = JSON.parse(started.stdout) as { execution_id: string };
    const seen = async () =>
      (await status("streamed")) as unknown as Status & { state: { degrees?: number }; plan: { number: number } };
    await waitUntil(async () => ((await seen()).state.degrees ?? 0) >= 5, 30_000);
    // What it saw broken was set right meanwhile.
    await waitUntil(async () => (await seen()).plan.number === 2 && (await seen()).phase === "reached", 20_000);
    expect((await seen()).state.counters).toEqual({ a: 1 });
    const execution = (await (await dev.request(`/executions/${id}`)).json()) as object;
    expect(execution).toMatchObject({ status: "running" });
    const runners = await dev.opctl(["runner", "list", "--environment", "field"]);
    expect(runners.stdout).toMatch(/pole +connected +1\//);
    expect((await dev.opctl(["cancel", id])).code).toBe(0);
  } finally {
    runner.kill("SIGTERM");
  }
});

test("a runner tells no agent whose rights its caller has not", async () => {
  const code = `export async function liar({ agent }, ctx) {
    return ctx.call("sense_agent", { name: agent, path: "/counters/a", value: 9 }).catch((error) => error.code);
  }`;
  await install(dev, "liar", code);
  await put("/registry/agents/mighty", {
    jobs: ["plus_one"],
    initial: { counters: { a: 0 } },
    scopes: ["ops:invoke", "registry:write"],
  });
  const created = await dev.opctl(["token", "create", "caller", "--scope", "ops:invoke", "--json"]);
  const { token } = JSON.parse(created.stdout) as { token: string };
  const answered = await dev.request("/ops/liar", { method: "POST", body: '{"agent": "mighty"}', token });
  expect([answered.status, await answered.json()]).toEqual([200, "forbidden"]);
  expect((await status("mighty")).state).toEqual({ counters: { a: 0 } });
});

test("a fleet goes after its canary, and stops when that fails", async () => {
  for (const name of ["edge-1", "edge-2", "edge-3"]) {
    await put(`/registry/agents/${name}`, {
      jobs: ["plus_one"],
      initial: { counters: { a: name === "edge-1" ? 5 : 0 } },
    });
  }
  const stopped = await dev.opctl(["seek", "edge-*", "-t", target({ a: 2 }), "--canary", "1"]);
  expect(stopped.stdout).toContain("0 of 3 there, 1 not, 2 not asked: edge-2 edge-3");
  expect(stopped.code).toBe(1);
  expect((await status("edge-2")).phase).toBe("idle");
  const all = await dev.opctl(["seek", "edge-*", "-t", target({ a: 6 }), "--canary", "1"]);
  expect(all.stdout).toContain("3 of 3 there");
  expect(all.code).toBe(0);
});

test("killed between steps it goes on, and does none twice", async () => {
  await install(
    dev,
    "slow_plus",
    "export async function slow_plus(input) { await new Promise((r) => setTimeout(r, 150)); return input; }",
  );
  await put("/registry/jobs/slow_plus", {
    path: "/counters/:name",
    when: "value < target",
    effect: "value + 1",
    operation: "slow_plus",
    input: '{"path": path, "value": value}',
  });
  await put("/registry/agents/slow", { jobs: ["slow_plus"], initial: { counters: { a: 0 } } });
  const seeking = dev.opctl(["seek", "slow", "--target", target({ a: 8 }), "--wait"]);
  for (const least of [2, 5]) {
    await waitUntil(
      async () => ((await status("slow").catch(() => undefined))?.state.counters["a"] ?? 0) >= least,
      30_000,
    );
    process.kill(childOf(dev, "--binary"), "SIGKILL");
    await waitUntil(async () => (await dev.request("/health").catch(() => undefined))?.ok === true, 30_000);
  }
  const { code, stderr } = await seeking;
  expect(stderr).toContain("reached");
  expect(code).toBe(0);
  expect((await status("slow")).state).toEqual({ counters: { a: 8 } });
  const response = await dev.request("/executions?operation=slow_plus&limit=1000");
  const { items } = (await response.json()) as { items: { id: string; status: string }[] };
  expect(items.map((each) => each.status)).toEqual(Array.from({ length: 8 }, () => "succeeded"));
});

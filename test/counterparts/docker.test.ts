/**
 * Operations and services in containers of a real Docker engine, whose client has only ever been written down elsewhere in our tests:
 * what starts, what is said of what does not, and what is left when a container, a runner or the engine itself is gone.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cancellation } from "../../src/core/cancellation.ts";
import type { InvocationResult } from "../../src/model/invocation.ts";
import { processIds } from "../../src/host/work/kill-processes.node.ts";
import { anOrder } from "../../src/host/work/_order.test-help.node.ts";
import { runExternalWork } from "../../src/host/work/run-work.node.ts";
import { startDev, waitUntil, type Dev } from "../e2e/_platform.ts";
import { alive, observe, put, ready, startRunner, untilService, type Json, type Runner } from "../e2e/_services.ts";
import { Docker, lacksForDocker, told } from "./_docker.ts";

const IMAGE = "sy-test:1";

let docker: Docker;
let lack = lacksForDocker();
if (lack === undefined) {
  docker = new Docker();
  try {
    await docker.start();
    docker.makeImage(IMAGE);
  } catch (thrown) {
    lack = `dockerd cannot be started here: ${String(thrown)}`;
    await docker.close();
  }
}
if (lack !== undefined) console.warn(`SKIPPED: containers of Docker: ${lack}`);

let state = "";

beforeAll(() => {
  if (lack !== undefined) return;
  state = mkdtempSync(path.join(tmpdir(), "sy-docker-state-"));
  process.env["DOCKER_HOST"] = docker.host;
  process.env["XDG_STATE_HOME"] = state;
});
afterAll(async () => {
  if (lack !== undefined) return;
  await docker.close();
  rmSync(state, { recursive: true, force: true });
});

type Running = { image?: string; input?: string; timeoutMs?: number; cancellation?: Cancellation; said?: () => void };

function run(script: string, { image = IMAGE, input = "{}", timeoutMs, cancellation, said }: Running = {}) {
  const work = { kind: "container" as const, image, command: ["sh", "-c", script] };
  const more = cancellation === undefined ? {} : { cancellation };
  return runExternalWork(work, anOrder(input, timeoutMs), { ...more, log: () => said?.() });
}

/** A container that says so on stderr when it runs, and then never ends. */
const FOREVER = "trap '' TERM; echo up >&2; while :; do sleep 0.1; done";

function detailOf(result: InvocationResult): string {
  return result.ok ? "" : `${result.error.code}: ${result.error.detail}`;
}

async function untilNoneIsLeft(): Promise<void> {
  await waitUntil(
    () => docker.names().length === 0,
    5_000,
    () => docker.names().join(),
  );
}

describe.skipIf(lack !== undefined)("an operation in a container of Docker", () => {
  test("has its input on stdin and its output on stdout; stderr is the log; there is no network", async () => {
    const script = 'x=$(cat); ls /sys/class/net >&2; echo "[$x,\\"$SWITCHYARD_EXECUTION_ID\\",\\"$TRACESTATE\\"]"';
    const result = await run(script, { input: '{"a":"ü\\n"}' });
    expect(result).toMatchObject({ ok: true, output: '[{"a":"ü\\n"},"ex_1","congo=t61rcWkgMzE"]' });
    expect(result.logs.map(({ message }) => message)).toEqual(["lo"]);
    await untilNoneIsLeft();
  });

  test.each([
    [
      "3: its last line",
      "echo first >&2; echo last >&2; exit 3",
      { code: "implementation_failed", detail: "last" },
      "may",
    ],
    ["65: not again", "echo wrong >&2; exit 65", { code: "implementation_failed", detail: "wrong" }, "never"],
    ["126 of its own", "echo mine >&2; exit 126", { code: "implementation_failed", detail: "mine" }, "may"],
    ["0 without JSON", "echo hello", { code: "output_not_json" }, "may"],
  ])("is told by its exit code: %s", async (_what, script, error, kind) => {
    expect(await run(script)).toMatchObject({ ok: false, error, retry: { kind } });
  });

  test("is not mixed with another that runs beside it", async () => {
    const script = 'x=$(cat); for i in 1 2 3 4 5 6 7 8 9; do echo $x$i >&2; sleep 0.02; done; echo "\\"$x\\""';
    const both = await Promise.all(["a", "b"].map((word) => run(script, { input: word })));
    for (const [index, word] of ["a", "b"].entries()) {
      expect(both[index]).toMatchObject({ ok: true, output: `"${word}"` });
      expect(both[index]?.logs.map(({ message }) => message)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => word + i));
    }
  });

  test("is killed at its time-out, and when nobody wants its result any more", async () => {
    expect(await run(FOREVER, { timeoutMs: 1_500 })).toMatchObject({ ok: false, error: { code: "timeout" } });
    expect(docker.names()).toEqual([]);
    const cancellation = new Cancellation();
    const running = run(FOREVER, { cancellation, said: () => cancellation.request() });
    expect(await running).toMatchObject({ ok: false, error: { code: "execution_cancelled" } });
    expect(docker.names()).toEqual([]);
  });

  test("that is killed for want of memory is said to be", async () => {
    const eats = run("echo up >&2; until [ -e /go ]; do sleep 0.05; done; x=$(yes | head -c 99000000); echo 1", {
      said: () => {
        const [name = ""] = docker.names();
        docker.run("update", "--memory", "16m", "--memory-swap", "16m", name);
        docker.run("exec", name, "touch", "/go");
      },
    });
    const error = { code: "executor_lost", detail: expect.stringContaining("for want of memory") as string };
    expect(await eats).toMatchObject({ ok: false, error });
  });

  test("that Docker does not start is said with Docker's reason, and that nothing has run", async () => {
    expect(detailOf(await run("true", { image: "registry.invalid/none:1" }))).toMatch(
      /^environment_misconfigured: Cannot run "op" as the container registry\.invalid\/none:1: Docker must be able to start it; it says: Unable to find image 'registry\.invalid\/none:1' locally; Error response from daemon: .*registry\.invalid/,
    );
    const missing = { kind: "container" as const, image: IMAGE, command: ["missing"] };
    const result = await runExternalWork(missing, anOrder("{}"), { log: () => {} });
    expect(detailOf(result)).toMatch(/^environment_misconfigured: .*"missing": executable file not found/);
    expect(docker.names()).toEqual([]);
  });
});

/** A service NAME of the image's server, its exposure, and the operations NAME and NAME_die. */
async function install(name: string, { variables = {}, ...fields }: Json & { variables?: Json } = {}): Promise<void> {
  await put(dev, `/registry/services/${name}`, {
    environment: "rack-1",
    state_machine: "by_hand",
    run: { container: { image: IMAGE, command: null } },
    health: { path: "/health", interval_ms: 200 },
    variables: { VERSION: "1", ...variables },
    ...fields,
  });
  await put(dev, `/registry/exposures/${name}`, { service: name });
  const provided = (operation: string, provided_by: Json) =>
    put(dev, `/registry/operations/${operation}`, {
      provided_by: { exposure: name, ...provided_by },
      timeout_ms: 20_000,
    });
  await provided(name, { method: "GET", path: "/cgi-bin/show" });
  await provided(`${name}_die`, { method: "POST", path: "/cgi-bin/die" });
}

async function installOperation(name: string, command: string[], image = IMAGE): Promise<void> {
  await put(dev, `/registry/operations/${name}`, {
    implemented_at: { container: { image, command } },
    environment: "rack-1",
    timeout_ms: 30_000,
  });
}

type Shown = { replica: string; version: string };
async function call(name: string): Promise<Shown> {
  const { status, body } = await dev.call(name, {});
  expect([status, body]).toEqual([200, expect.anything()]);
  return body as Shown;
}

const containersOf = (service: string) => docker.withVariable(`SWITCHYARD_SERVICE=${service}`);

async function untilGone(names: readonly string[]): Promise<void> {
  await waitUntil(
    () => !docker.names().some((name) => names.includes(name)),
    20_000,
    () => `${docker.names().join()} ${runner.said()}`,
  );
}

async function undeployed(name: string): Promise<void> {
  expect((await dev.call("undeploy_service", { name })).status).toBe(200);
  await untilService(dev, name, (status) => alive(status).length === 0);
  await waitUntil(() => containersOf(name).length === 0, 5_000);
}

let dev: Dev;
let runner: Runner;

describe.skipIf(lack !== undefined)("a service in containers of Docker", () => {
  const allowed = ["--allow", "container:sy-test*", "--allow", "container:registry.invalid/*"];
  const start = (name: string) => startRunner(dev, name, allowed);

  beforeAll(async () => {
    dev = await startDev();
    await put(dev, "/registry/environments/rack-1", { adapter: "runner" });
    await put(dev, "/registry/state_machines/by_hand", {
      initial: "cold",
      states: { cold: { replicas: 0 }, hot: {} },
      transitions: [{ name: "warm_up", from: "cold", to: "hot", when: { fact: "waiting", op: ">", value: 0 } }],
    });
    runner = await start("desk");
  });
  afterAll(async () => {
    await runner.end();
    await dev.stop();
  });

  test("is started by the first call, scaled, rolled without a failed request, and leaves no container", async () => {
    await install("shop");
    const { replica } = await call("shop");
    expect((await call("shop")).replica).toBe(replica);
    expect((await dev.call("scale_service", { name: "shop", replicas: 2 })).status).toBe(200);
    await untilService(dev, "shop", (status) => ready(status).length === 2);
    expect(containersOf("shop")).toHaveLength(2);

    const over = new AbortController();
    const seen = { replicas: new Set<string>(), versions: new Set<string>() };
    const load = Array.from({ length: 3 }, async () => {
      while (!over.signal.aborted) {
        const shown = await call("shop");
        seen.replicas.add(shown.replica);
        seen.versions.add(shown.version);
      }
    });
    await waitUntil(() => seen.replicas.size === 2, 10_000);
    const body = JSON.stringify({ variables: { VERSION: "2" } });
    await dev.request("/registry/services/shop", { method: "PATCH", body });
    await waitUntil(() => docker.withVariable("VERSION=1").length === 0, 20_000);
    over.abort();
    await Promise.all(load);
    expect([...seen.versions].toSorted()).toEqual(["1", "2"]);
    // It was told to end, and had the time.
    expect(runner.said()).toContain(`${replica}: told to end`);
    await undeployed("shop");
  });

  test("that ignores SIGTERM is killed after stop_ms", async () => {
    await install("deaf", { variables: { MODE: "deaf" }, stop_ms: 300 });
    await call("deaf");
    await undeployed("deaf");
  });

  test("whose server dies is replaced, and its last lines are in the status", async () => {
    await install("mortal");
    const { replica } = await call("mortal");
    const [container = ""] = containersOf("mortal");
    await dev.call("mortal_die", {});
    expect((await call("mortal")).replica).not.toBe(replica);
    await untilGone([container]);
    const { crashes } = await observe(dev, "mortal");
    expect(crashes).toMatchObject({ failures: 1, reason: "it ended with exit code 4" });
    expect(crashes.lines).toEqual(["serving 1", "Killed", "the server of 1 is gone"]);
    await undeployed("mortal");
  });

  test.each([
    ["loopback", "/health"],
    ["other_port", null],
  ])("that listens where Docker does not look is told where to: %s", async (mode, path) => {
    await install(mode, { variables: { MODE: mode }, health: { start_ms: 3_000, path }, stop_ms: 100 });
    await dev.call("deploy_service", { name: mode });
    await untilService(dev, mode, ({ crashes }) => crashes.failures > 0);
    expect((await observe(dev, mode)).crashes.reason).toBe(
      "it was not healthy within 3000 ms: nothing answers on port 8080 of its container: its server must listen on PORT at HOST, 8080 at 0.0.0.0",
    );
    await undeployed(mode);
  });

  test("of an image that is not to be had is said so, with Docker's reason; so is an operation", async () => {
    const image = "registry.invalid/none:1";
    await install("absent", { run: { container: { image, command: null } } });
    const { status, body } = await dev.call("absent", {});
    expect([status, body]).toEqual([503, expect.objectContaining({ code: "service_crash_looping" })]);
    expect(JSON.stringify(body)).toContain(`Docker did not start it: Unable to find image '${image}' locally`);
    await undeployed("absent");
    await installOperation("absent_once", ["true"], image);
    const once = await dev.call("absent_once", {});
    expect(once).toMatchObject({ status: 502, body: { code: "environment_misconfigured" } });
    expect(JSON.stringify(once.body)).toContain(`it says: Unable to find image '${image}' locally`);
  });

  test("has its variables as they are written, and no secret of it is where others on the machine see it", async () => {
    const odd = {
      LINES: "one\ntwo\n",
      EQUALS: "a=b=c",
      QUOTES: `"double" 'single' $HOME \\ \``,
      EMPTY: "",
      DOCKER_HOST: "tcp://192.0.2.1:1",
      PATH: "/bin:/www",
      LD_PRELOAD: " /none.so ",
    };
    for (const name of ["DOCKER_PASSWORD", "PASSWORD"]) {
      await put(dev, `/registry/secrets/${name.toLowerCase()}`, { value: "sesame-open" });
    }
    const secrets = { DOCKER_PASSWORD: "docker_password", PASSWORD: "password" };
    await install("odd", { variables: odd, secrets });
    await call("odd");
    const [container = ""] = containersOf("odd");
    const has = Object.entries({ ...odd, DOCKER_PASSWORD: "sesame-open", PASSWORD: "sesame-open", PORT: "8080" });
    const variables = docker.variables(container);
    expect(variables).toEqual(expect.arrayContaining(has.map(([name, value]) => `${name}=${value}`)));
    expect(variables.join("\n")).not.toContain("SWITCHYARD_TOKEN");
    expect(docker.run("ps", "--no-trunc")).not.toContain("sesame-open");
    const commandLines = processIds().map((pid) => told(pid, "cmdline"));
    expect(commandLines.filter((line) => line.includes(container))).not.toEqual([]);
    expect(commandLines.filter((line) => line.includes("sesame-open"))).toEqual([]);
    await undeployed("odd");
  });

  test("and an operation, whose runner is killed, are ended by the next one", async () => {
    await install("orphan");
    await installOperation("forever", ["sh", "-c", FOREVER]);
    const { replica } = await call("orphan");
    const lost = dev.call("forever", {});
    await waitUntil(() => runner.said().includes("forever: up"), 10_000);
    const before = [...containersOf("orphan"), ...docker.withVariable("SWITCHYARD_OPERATION=forever")];
    expect(before).toHaveLength(2);
    await runner.end("SIGKILL");
    expect(docker.names("running")).toEqual(expect.arrayContaining(before));
    runner = await start("desk");
    await untilGone(before);
    expect(await lost).toMatchObject({ status: 503, body: { code: "executor_lost" } });
    expect((await call("orphan")).replica).not.toBe(replica);
    expect(runner.said()).toContain('the operation "forever" of a runner that is gone was ended');
    await undeployed("orphan");
    await waitUntil(() => notes().length === 0, 5_000);
  });

  test("are said to be lost with Docker itself, and come back with it", async () => {
    await install("lasting");
    const { replica } = await call("lasting");
    await installOperation("lost", ["sleep", "60"]);
    const lost = dev.call("lost", {});
    const running = () => docker.withVariable("SWITCHYARD_OPERATION=lost", "running");
    await waitUntil(() => running().length === 1, 10_000);
    await docker.kill();
    const error = await lost;
    expect(error).toMatchObject({ status: 503, body: { code: "executor_lost" } });
    expect(JSON.stringify(error.body)).toContain("Docker must answer until its container has ended; it broke off: ");
    await untilService(dev, "lasting", ({ crashes }) => crashes.reason?.startsWith("Docker did not start it") === true);
    const { body } = await dev.call("lost", {});
    expect(body).toMatchObject({ code: "environment_unavailable" });
    expect(JSON.stringify(body)).toContain("Cannot connect to the Docker daemon");
    await docker.start();
    await untilService(dev, "lasting", (status) => ready(status).length === 1, 30_000);
    expect((await call("lasting")).replica).not.toBe(replica);
    await undeployed("lasting");
    await untilNoneIsLeft();
    await waitUntil(() => notes().length === 0, 10_000);
  });
});

/** What runners have noted, to be ended should they be killed. */
function notes(): string[] {
  return readdirSync(path.join(state, "switchyard-runner/replicas"));
}

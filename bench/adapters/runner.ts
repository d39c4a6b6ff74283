/** One runner of 8 slots over loopback: calls to it and, in turn, the same calls run inline. */
import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { end, median, opctl, printed, request, runLoad, startPlatform, type Served } from "../_harness.ts";
import { ms, type Measured } from "../musts.ts";

const ROUNDS = 5;
const SLOTS = 8;
const COLD = 20;
const WAITING = 10;
const BODY = { input_str: "hi" };
export const ENVIRONMENT = "rack-bench";

export function startRunner(served: Served, ...more: string[]): ChildProcess {
  const opctlFile = path.resolve(import.meta.dirname, "../../cli/opctl.js");
  return spawn(
    process.execPath,
    [opctlFile, "runner", "start", "--environment", ENVIRONMENT, "--slots", String(SLOTS), ...more],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, SWITCHYARD_URL: `http://127.0.0.1:${served.port}`, SWITCHYARD_TOKEN: served.token },
    },
  );
}

export async function createRack(served: Served): Promise<void> {
  await opctl(served, "create", "environment", "-s", `name=${ENVIRONMENT}`, "-s", "adapter=runner");
}

export async function measureRunner(): Promise<Measured[]> {
  const served = await startPlatform("process");
  let runner: ChildProcess | undefined;
  try {
    await createRack(served);
    await opctl(served, "deploy", "examples/echo.ts#echo");
    await opctl(served, "duplicate", "operation", "echo", "-s", "name=echo_rack", "-s", `environment=${ENVIRONMENT}`);
    runner = startRunner(served);
    await printed(runner, "connected");
    const warm = await measureWarm(served);
    const cold = await measureCold(served);
    await end(runner);
    const waiting = await measureWaiting(served);
    return [...warm, cold, waiting];
  } finally {
    if (runner !== undefined) await end(runner);
    await served.stop();
  }
}

async function measureWarm(served: Served): Promise<Measured[]> {
  const run = (name: string, connections: number) =>
    runLoad({
      port: served.port,
      connections,
      seconds: 2,
      requests: [
        { path: `/ops/${name}`, headers: { authorization: `Bearer ${served.token}` }, body: JSON.stringify(BODY) },
      ],
    });
  for (const name of ["echo", "echo_rack"]) await run(name, SLOTS);
  const seen = {
    rackAlone: [] as number[],
    inlineAlone: [] as number[],
    rackMany: [] as number[],
    inlineMany: [] as number[],
    p99: [] as number[],
  };
  for (let round = 0; round < ROUNDS; round++) {
    seen.inlineAlone.push((await run("echo", 1)).p50);
    const alone = await run("echo_rack", 1);
    seen.rackAlone.push(alone.p50);
    seen.p99.push(alone.p99);
    seen.inlineMany.push((await run("echo", 16)).perSecond);
    seen.rackMany.push((await run("echo_rack", 16)).perSecond);
  }
  const p50 = median(seen.rackAlone);
  const perSecond = median(seen.rackMany);
  return [
    {
      measure: "runner, warm module, 1 connection, p50 (p99)",
      ours: `${ms(p50)} (${ms(median(seen.p99))})`,
      beside: `inline ${ms(median(seen.inlineAlone))}`,
      must: "≤ 3 ms",
      holds: p50 <= 3_000,
    },
    {
      measure: `runner of ${SLOTS} slots, calls a second at 16 connections`,
      ours: String(perSecond),
      beside: `inline ${median(seen.inlineMany)}`,
      must: "≥ 1,500",
      holds: perSecond >= 1_500,
    },
  ];
}

/** Another operation is another isolate: its first call finds no process that has loaded it. */
async function measureCold(served: Served): Promise<Measured> {
  const took: number[] = [];
  for (let number = 0; number < COLD; number++) {
    const name = `echo_cold_${number}`;
    await opctl(served, "duplicate", "operation", "echo_rack", "-s", `name=${name}`);
    const startedAt = performance.now();
    const response = await request(served, `/ops/${name}`, BODY);
    await response.text();
    if (!response.ok) throw new Error(`a cold call answered ${response.status}`);
    took.push((performance.now() - startedAt) * 1_000);
  }
  const p50 = median(took);
  return {
    measure: "runner, first call of an operation, p50",
    ours: ms(p50),
    beside: `slowest of ${COLD}: ${ms(Math.max(...took))}`,
    must: "≤ 60 ms",
    holds: p50 <= 60_000,
  };
}

/** From the runner's word that it is connected to the answer of a call that had waited for it. */
async function measureWaiting(served: Served): Promise<Measured> {
  const took: number[] = [];
  for (let number = 0; number < WAITING; number++) {
    const waiting = request(served, "/ops/echo_rack", BODY).then(async (response) => {
      const answeredAt = performance.now();
      if (!response.ok) throw new Error(`a waiting call answered ${response.status}: ${await response.text()}`);
      return answeredAt;
    });
    const runner = startRunner(served);
    try {
      await printed(runner, "connected");
      const connectedAt = performance.now();
      took.push(Math.max(0, (await waiting) - connectedAt) * 1_000);
    } finally {
      await end(runner);
    }
  }
  const p50 = median(took);
  return {
    measure: "a call that waits when a runner connects: to its answer, p50",
    ours: ms(p50),
    beside: `slowest of ${WAITING}: ${ms(Math.max(...took))}`,
    must: "starts within 50 ms",
    holds: Math.max(...took) <= 50_000,
  };
}

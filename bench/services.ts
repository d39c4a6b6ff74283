/**
 * Services that are hot and cold, in numbers: `npm run bench -- services`. One runner, one service of one file of Node.
 *
 * - warm: the operation beside a bare request to the very process that answers it, in turn on one connection each
 * - cold: from the request to the answer, beside what the same program takes by itself from its start to its first answer
 * - burst: 1,000 requests at once to a service that is cold
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { end, freePort, median, opctl, percentile, printed, request, startPlatform, type Served } from "./_harness.ts";
import { ms, printMusts, type Measured } from "./musts.ts";

const SERVER = path.resolve(import.meta.dirname, "services/server.ts");
const PAIRS = 2_000;
const WARM_UP = 200;
const COLD = 15;
const BURST = 1_000;

type Ran = { served: Served; starts: string };

export async function services(): Promise<void> {
  const rows: Measured[] = [];
  for (const way of ["environment", "direct"] as const) {
    const starts = path.join(os.tmpdir(), `sy-bench-starts-${process.pid}`);
    writeFileSync(starts, "");
    const served = await startPlatform("process");
    let runner: ChildProcess | undefined;
    try {
      await install(served, starts);
      const host = way === "direct" ? ["--service-host", "127.0.0.1"] : [];
      runner = startRunner(served, host);
      await printed(runner, "connected");
      rows.push(...(await warm({ served, starts }, way)));
      if (way === "environment") rows.push(await cold({ served, starts }), await burst({ served, starts }));
    } finally {
      if (runner !== undefined) await end(runner);
      await served.stop();
      rmSync(starts, { force: true });
    }
  }
  printMusts(rows);
}

function startRunner(served: Served, more: readonly string[]): ChildProcess {
  const file = path.resolve(import.meta.dirname, "../cli/opctl.js");
  const words = ["runner", "start", "--environment", "rack-bench", "--allow", `process:${process.execPath}`, ...more];
  return spawn(process.execPath, [file, ...words], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, SWITCHYARD_URL: `http://127.0.0.1:${served.port}`, SWITCHYARD_TOKEN: served.token },
  });
}

async function install(served: Served, starts: string): Promise<void> {
  const config = `config={"service_hosts":["127.0.0.1"]}`;
  await opctl(served, "create", "environment", "-s", "name=rack-bench", "-s", "adapter=runner", "-s", config);
  const put = async (target: string, body: unknown): Promise<void> => {
    const response = await request(served, target, body, "PUT");
    if (!response.ok) throw new Error(`${target}: ${await response.text()}`);
  };
  await put("/registry/services/albums", {
    environment: "rack-bench",
    run: { process: { command: [process.execPath, SERVER] } },
    variables: { STARTS: starts },
  });
  await put("/registry/exposures/albums", { service: "albums" });
  await put("/registry/operations/list_albums", {
    provided_by: { exposure: "albums", method: "GET", path: "/albums" },
    input_type: { type: "object" },
    output_type: { type: "array", items: { type: "object" } },
  });
}

type Status = { state: string; replicas: { phase: string; address: string | null }[] };

async function observe(served: Served): Promise<Status> {
  const response = await request(served, "/ops/observe_service", { name: "albums" });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Status;
}

async function warm({ served, starts }: Ran, way: string): Promise<Measured[]> {
  await call(served);
  const port = portOf(lastStart(starts));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const taken: Record<"bare" | "operation", number[]> = { bare: [], operation: [] };
  const send = {
    bare: () => timed(agent, { port, method: "GET", path: "/albums" }),
    operation: () =>
      timed(
        agent,
        {
          port: served.port,
          method: "POST",
          path: "/ops/list_albums",
          headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json" },
        },
        "{}",
      ),
  };
  for (let pair = -WARM_UP; pair < PAIRS; pair++) {
    for (const subject of pair % 2 === 0 ? (["bare", "operation"] as const) : (["operation", "bare"] as const)) {
      const us = await send[subject]();
      if (pair >= 0) taken[subject].push(us);
    }
  }
  agent.destroy();
  return ([0.5, 0.99] as const).map((share) => {
    const [ours, bare] = [percentile(taken.operation, share), percentile(taken.bare, share)];
    const isMust = share === 0.5;
    return {
      measure: `a warm call over a bare request to the same server, by its ${way === "direct" ? "own address" : "runner's connection"}, p${share * 100}`,
      ours: `+ ${ms(ours - bare)} (${ms(ours)})`,
      beside: `bare: ${ms(bare)}`,
      must: isMust ? "≤ 1 ms" : "-",
      holds: isMust ? ours - bare <= 1_000 : undefined,
    };
  });
}

async function cold({ served }: Ran): Promise<Measured> {
  const [whole, alone]: [number[], number[]] = [[], []];
  for (let round = 0; round < COLD; round++) {
    await becomeCold(served);
    const startedAt = performance.now();
    await call(served);
    whole.push((performance.now() - startedAt) * 1_000);
    alone.push(await startAlone());
  }
  const over = median(whole) - median(alone);
  return {
    measure: "a cold call beyond the server's own start, p50",
    ours: `+ ${ms(over)} (${ms(median(whole))}, slowest ${ms(Math.max(...whole))})`,
    beside: `the program by itself, start to first answer: ${ms(median(alone))}`,
    must: "≤ 150 ms",
    holds: over <= 150_000,
  };
}

async function burst({ served, starts }: Ran): Promise<Measured> {
  await becomeCold(served);
  const before = startsIn(starts).length;
  const startedAt = performance.now();
  const answers = await Promise.all(
    Array.from({ length: BURST }, async () => {
      const response = await request(served, "/ops/list_albums", {});
      await response.text();
      return response.status;
    }),
  );
  const took = (performance.now() - startedAt) * 1_000;
  const answered = answers.filter((status) => status === 200).length;
  const deployments = startsIn(starts).length - before;
  return {
    measure: `${BURST} first requests at once`,
    ours: `${deployments} started, ${answered} answered, ${ms(took)} in all`,
    beside: "-",
    must: "exactly 1, all",
    holds: deployments === 1 && answered === BURST,
  };
}

async function becomeCold(served: Served): Promise<void> {
  const response = await request(served, "/ops/undeploy_service", { name: "albums" });
  if (!response.ok) throw new Error(await response.text());
  await response.text();
  for (let tries = 0; tries < 600; tries++) {
    const { state, replicas } = await observe(served);
    if (state === "cold" && replicas.every(({ phase }) => phase === "ended")) return;
    await sleep(50);
  }
  throw new Error("the service does not become cold");
}

async function call(served: Served): Promise<void> {
  const response = await request(served, "/ops/list_albums", {});
  const text = await response.text();
  if (response.status !== 200) throw new Error(`list_albums: ${response.status} ${text}`);
}

/**
 * Microseconds from its start to its first answer. Its port is tried as the runner tries it: requests instead, or tries without a
 * pause, would take the processor from the program that is to start.
 */
async function startAlone(): Promise<number> {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, [SERVER], { stdio: "ignore", env: { PORT: String(port) } });
  try {
    while (!(await takesConnections(port))) {
      const spentMs = performance.now() - startedAt;
      if (spentMs > 30_000) throw new Error("the server does not start by itself");
      await sleep(Math.min(100, Math.max(5, spentMs * 0.02)));
    }
    const response = await fetch(`http://127.0.0.1:${port}/albums`);
    await response.text();
    return (performance.now() - startedAt) * 1_000;
  } finally {
    await end(child);
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    const end = (isTaken: boolean) => {
      socket.destroy();
      resolve(isTaken);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });
}

function startsIn(starts: string): number[] {
  return readFileSync(starts, "utf8").split("\n").filter(Boolean).map(Number);
}

function lastStart(starts: string): number {
  const pid = startsIn(starts).at(-1);
  if (pid === undefined) throw new Error("the service has not started");
  return pid;
}

/** As the process was told by its runner. */
function portOf(pid: number): number {
  const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return Number(variables.find((each) => each.startsWith("PORT="))?.slice("PORT=".length));
}

function timed(agent: http.Agent, options: http.RequestOptions, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = process.hrtime.bigint();
    const sent = http.request({ host: "127.0.0.1", agent, ...options }, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(Number(process.hrtime.bigint() - startedAt) / 1_000);
        else reject(new Error(`${options.path}: ${answer.statusCode} ${text}`));
      });
    });
    sent.on("error", reject).end(body);
  });
}

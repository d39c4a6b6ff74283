/** A platform with runners of the environment `rack-1`, and services of the misbehaving server on them. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT, startDev, temporaryFolder, waitUntil, type Dev } from "./_platform.ts";

export type Json = Record<string, unknown>;

const SERVER = path.join(ROOT, "test/e2e/_service-server.ts");

export type Runner = { child: ChildProcess; said: () => string; end(signal?: NodeJS.Signals): Promise<void> };

export async function startRunner(dev: Dev, name: string, more: readonly string[] = []): Promise<Runner> {
  let said = "";
  const words = [
    "runner",
    "start",
    "--environment",
    "rack-1",
    "--name",
    name,
    "--allow",
    `process:${process.execPath}`,
  ];
  const child = spawn(process.execPath, ["cli/opctl.js", ...words, ...more], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1", SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (said += part.toString()));
  await waitUntil(
    () => said.includes("connected to rack-1"),
    30_000,
    () => said,
  );
  return {
    child,
    said: () => said,
    async end(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await ended;
    },
  };
}

/** A platform and its first runner. */
export async function startRack(): Promise<{ dev: Dev; runner: Runner }> {
  const dev = await startDev();
  await put(dev, "/registry/environments/rack-1", { adapter: "runner" });
  return { dev, runner: await startRunner(dev, "desk") };
}

export async function put(dev: Dev, route: string, body: Json): Promise<void> {
  const response = await dev.request(route, { method: "PUT", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${route}: ${await response.text()}`);
}

/** What the service's processes have noted. */
export type Log = { begins(): number[]; starts(): { pid: number; version: string }[]; ends(): number[] };

/** A service NAME, its exposure NAME, and the operations NAME (GET), NAME_post, NAME_slow, NAME_die, NAME_sicken. */
export async function install(
  dev: Dev,
  name: string,
  { variables = {}, ...fields }: Json & { variables?: Record<string, string> } = {},
): Promise<Log> {
  const file = path.join(temporaryFolder(), "log");
  writeFileSync(file, "");
  await put(dev, `/registry/services/${name}`, {
    environment: "rack-1",
    run: { process: { command: [process.execPath, SERVER] } },
    variables: { LOG: file, ...variables },
    health: { path: "/health", interval_ms: 200 },
    ...fields,
  });
  await put(dev, `/registry/exposures/${name}`, { service: name });
  const provided = (operation: string, provided_by: Json): Promise<void> =>
    put(dev, `/registry/operations/${operation}`, {
      provided_by: { exposure: name, ...provided_by },
      timeout_ms: 20_000,
    });
  await provided(name, { method: "GET", path: "/" });
  await provided(`${name}_post`, { method: "POST", path: "/" });
  await provided(`${name}_slow`, { method: "GET", path: "/slow" });
  await provided(`${name}_die`, { method: "POST", path: "/die" });
  await provided(`${name}_sicken`, { method: "POST", path: "/sicken" });
  const lines = (word: string): string[][] =>
    readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([first]) => first === word);
  return {
    begins: () => lines("begin").map(([, pid]) => Number(pid)),
    starts: () => lines("start").map(([, pid = "", version = ""]) => ({ pid: Number(pid), version })),
    ends: () => lines("end").map(([, pid]) => Number(pid)),
  };
}

export type Status = {
  state: string;
  because: string[];
  problem: string | null;
  replicas: { replica: string; phase: string; place: string; address: string | null; ended: string | null }[];
  crashes: { failures: number; looping: boolean; reason: string | null; lines: string[] };
  waiting: number;
};

export async function observe(dev: Dev, name: string): Promise<Status> {
  const { status, body } = await dev.call("observe_service", { name });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body as Status;
}

export async function untilService(
  dev: Dev,
  name: string,
  holds: (status: Status) => boolean,
  ms = 20_000,
): Promise<void> {
  let last: Status | undefined;
  await waitUntil(
    async () => holds((last = await observe(dev, name))),
    ms,
    () => JSON.stringify(last),
  );
}

export const ready = ({ replicas }: Status): string[] =>
  replicas.filter(({ phase }) => phase === "ready").map(({ replica }) => replica);
export const alive = ({ replicas }: Status): string[] =>
  replicas.filter(({ phase }) => phase !== "ended").map(({ replica }) => replica);

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

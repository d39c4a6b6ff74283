/** What every benchmark shares: starting the things measured, running the load generator apart, medians, the machine. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { LoadPlan, LoadResult } from "./load.ts";

const exec = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, "..");

export type Served = {
  port: number;
  token: string;
  state: string;
  pid: number;
  /** Ends it; its state goes too, unless `keep`. */
  stop(options?: { keep?: boolean }): Promise<void>;
};

export async function startBare(): Promise<Served> {
  const port = await freePort();
  const child = spawn(process.execPath, [path.join(ROOT, "bench/serve-bare.ts"), String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await printed(child, "ready");
  return { port, token: "", state: "", pid: child.pid!, stop: () => end(child) };
}

/** `more`: further arguments of `opctl dev`. */
export async function startPlatform(
  executor: "process" | "inline",
  given?: string,
  more: readonly string[] = [],
): Promise<Served> {
  const state = given ?? mkdtempSync(path.join(os.tmpdir(), "sy-bench-"));
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [path.join(ROOT, "cli/opctl.js"), "dev", "--port", String(port), "--state", state, "--executor", executor, ...more],
    { cwd: ROOT, stdio: ["ignore", process.env["BENCH_LOG"] ? "inherit" : "ignore", "pipe"] },
  );
  try {
    await printed(child, "Ctrl-C stops it.");
  } catch (error) {
    if (given === undefined) rmSync(state, { recursive: true, force: true });
    throw error;
  }
  const { token } = JSON.parse(readFileSync(path.join(state, "credentials.json"), "utf8")) as { token: string };
  return {
    port,
    token,
    state,
    pid: child.pid!,
    async stop({ keep = false } = {}) {
      await end(child);
      if (!keep) rmSync(state, { recursive: true, force: true });
    },
  };
}

/** In a process of its own, so that the generator and what it measures share nothing but the machine. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const child = spawn(process.execPath, [path.join(ROOT, "bench/load.ts"), "-"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(plan));
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  const result = JSON.parse(text) as LoadResult;
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.count} requests failed: ${result.sample}`);
  return result;
}

export async function opctl(served: Served, ...args: string[]): Promise<string> {
  const { stdout } = await exec(process.execPath, [path.join(ROOT, "cli/opctl.js"), ...args], {
    cwd: ROOT,
    env: { ...process.env, SWITCHYARD_URL: `http://127.0.0.1:${served.port}`, SWITCHYARD_TOKEN: served.token },
  });
  return stdout;
}

export function request(served: Served, target: string, body: unknown, method = "POST"): Promise<Response> {
  return fetch(`http://127.0.0.1:${served.port}${target}`, {
    method,
    headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The process and all below it. */
function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(statOf(entry)[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended while we looked.
    }
  }
  const tree = [pid];
  for (const id of tree) tree.push(...(children.get(id) ?? []));
  return tree;
}

/** Resident memory of a process and all below it, by command name. Megabytes. */
export function memoryOf(pid: number): { name: string; megabytes: number }[] {
  return processTree(pid).flatMap((id) => {
    try {
      const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1];
      return [{ name: nameOf(commandOf(id)), megabytes: Math.round(Number(rss ?? 0) / 1024) }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

/** Linux counts processor time for user space in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Processor time of a process and all below it since each began, by process id. Seconds. */
function processorTimeOf(pid: number): Map<number, { name: string; seconds: number }> {
  const found = new Map<number, { name: string; seconds: number }>();
  for (const id of processTree(pid)) {
    try {
      const fields = statOf(id);
      const ticks = Number(fields[11]) + Number(fields[12]); // user and system
      found.set(id, { name: nameOf(commandOf(id)), seconds: ticks / TICKS_PER_SECOND });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Processor time of a platform's processes so far. Seconds; what others do on the machine changes it little. */
export function processorSeconds({ pid }: Served): number {
  return [...processorTimeOf(pid).values()].reduce((sum, { seconds }) => sum + seconds, 0);
}

/** What a platform uses of a core over `windowMs`, nothing being asked of it. */
export async function processorUse({ pid }: Served, windowMs: number): Promise<{ percent: number; text: string }> {
  const before = processorTimeOf(pid);
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, windowMs));
  const seconds = (performance.now() - startedAt) / 1000;
  const after = processorTimeOf(pid);
  const gone = [...before.keys()].filter((id) => !after.has(id));
  if (gone.length > 0) throw new Error(`${gone.length} processes of an idle platform ended while it was watched`);
  const shares = [...after].map(([id, { name, seconds: total }]) => ({
    name,
    percent: ((total - (before.get(id)?.seconds ?? 0)) / seconds) * 100,
  }));
  const percent = shares.reduce((sum, share) => sum + share.percent, 0);
  const each = shares.map((share) => `${share.name} ${share.percent.toFixed(2)}`).join(", ");
  return { percent, text: `${percent.toFixed(2)} (${each})` };
}

/** The fields of /proc/<pid>/stat after the command's name, which may hold anything: state, parent, … */
function statOf(pid: number | string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function commandOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
}

function nameOf(words: readonly string[]): string {
  const line = words.join(" ");
  if (line.includes("process.node.ts") || line.includes("registry-process")) return "registry";
  if (line.includes("opctl")) return "host";
  // miniflare hands its configuration over in binary form, the supervisor as a file.
  if (/workerd/.test(line)) return line.includes("--binary") ? "edge" : "executor";
  return path.basename(words[0] ?? "?");
}

export function machine(): string {
  const [cpu] = os.cpus();
  return `${os.cpus().length} × ${cpu?.model.trim() ?? "?"}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.versions.node}`;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves with what it printed once that holds `text`; rejects when it ends before. */
export function printed(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        if (all.length > 100_000) return;
        all += chunk.toString();
        if (all.includes(text)) resolve(all);
      });
    }
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it printed "${text}":\n${all}`)));
  });
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

/** How an executor process is started: the workerd binary, its configuration, and the bond to our own life. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { SwitchyardError } from "../core/errors.ts";

/** Linux's limit on a socket's path, without the closing zero. macOS allows 103. */
const SOCKET_PATH_BYTES = process.platform === "linux" ? 107 : 103;

export function workerdBinary(): string {
  const require = createRequire(import.meta.url);
  // The package of miniflare's own version, whose binary is a plain file for this machine.
  const fromMiniflare = createRequire(require.resolve("miniflare"));
  return (fromMiniflare("workerd") as { default: string }).default;
}

export function socketAddress(path: string): string {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES) {
    throw new SwitchyardError(
      "usage",
      `Cannot listen on "${path}": a unix socket's path must have at most ${SOCKET_PATH_BYTES} bytes; it is ${Buffer.byteLength(path)}`,
      { hint: "Choose a state folder with a shorter path." },
    );
  }
  return `unix:${path}`;
}

/**
 * The configuration, in workerd's own text form. The outbound network is public addresses only: DNS names that lead to
 * private ones fail here, where JavaScript could not tell. 64:ff9b::/96 would wrap any IPv4 address in a public one.
 */
export function workerdConfig(options: { script: string; socket: string; edge: string; secret: string }): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .executor),
    (name = "edge", external = (address = ${JSON.stringify(options.edge)}, http = ())),
    (name = "internet", network = (allow = ["public"], deny = ["64:ff9b::/96"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = ${JSON.stringify(options.socket)}, http = (), service = "main")],
);
const executor :Workerd.Worker = (
  modules = [(name = "executor-process.js", esModule = embed ${JSON.stringify(options.script)})],
  compatibilityDate = "2026-07-01",
  bindings = [
    (name = "LOADER", workerLoader = (id = "isolates")),
    (name = "EDGE", service = "edge"),
    (name = "SECRET", text = ${JSON.stringify(options.secret)}),
  ],
);
`;
}

let deathSignal: boolean | undefined;

/** A command that the kernel kills when we die, however we die. Without util-linux's setpriv: plainly. */
export function mortal(file: string, ...args: string[]): [file: string, ...args: string[]] {
  deathSignal ??= process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0;
  return deathSignal ? ["setpriv", "--pdeathsig", "KILL", file, ...args] : [file, ...args];
}

export function mortalWorkerd(): [file: string, ...args: string[]] {
  return mortal(workerdBinary());
}

/** Starts workerd with `stdout` as its standard output. Where it can outlive us, the next start ends it (endLeftOver). */
export function startWorkerd(configPath: string, stdout: number, stderr: number): ChildProcess {
  const [file, ...args] = mortalWorkerd();
  return spawn(file, [...args, "serve", "--experimental", configPath], { stdio: ["ignore", stdout, stderr], env: {} });
}

/** Kills a process of an earlier life, if the number still belongs to a workerd with that very configuration. */
export function endLeftOver(pid: number, configPath: string): void {
  try {
    const commandLine =
      process.platform === "linux"
        ? readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")
        : spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" })
            .stdout.trim()
            .split(" ");
    if (commandLine.includes(configPath)) process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

/** Resident memory in bytes, or undefined when the process is gone. */
export function residentBytes(pid: number): number | undefined {
  try {
    if (process.platform === "linux") return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * 4096;
    const kilobytes = Number(spawnSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" }).stdout);
    return kilobytes > 0 ? kilobytes * 1024 : undefined;
  } catch {
    return undefined;
  }
}

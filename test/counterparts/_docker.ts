/**
 * A Docker engine for one test file: Debian's dockerd (scripts/get-counterparts.sh) with folders, a containerd and a bridge of its own,
 * and one small image in it. Nothing of it is left afterwards.
 */
import { execFile, execFileSync, spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { kill, processIds } from "../../src/host/work/kill-processes.node.ts";
import { locateProgram } from "../../src/host/work/locate-program.node.ts";
import { waitUntil } from "../e2e/_platform.ts";

const PROGRAMS = ["dockerd", "containerd", "docker", "docker-proxy", "runc", "busybox"];
const APPLETS = ["sh", "cat", "echo", "sleep", "true", "ls", "env", "head", "yes", "kill", "httpd", "touch", "pidof"];
/** Of the addresses that nobody has, so that it meets neither a real Docker's nor the machine's. */
const BRIDGE = { name: "sy-test-docker", address: "198.51.100.1/24" };

/** One server for all tests: what its variables say, it does. */
const SERVE = `#!/bin/sh
case $MODE in
  loopback) exec httpd -f -p 127.0.0.1:$PORT -h /www ;;
  other_port) exec httpd -f -p 9999 -h /www ;;
  deaf) trap '' TERM ;;
  *) trap 'echo "told to end"; kill $!; exit 0' TERM ;;
esac
echo "serving $VERSION"
httpd -f -p $PORT -h /www &
wait $!
echo "the server of $VERSION is gone" >&2
exit 4
`;
const head = 'printf "Content-Type: application/json\\r\\n\\r\\n"';
const SHOW = `#!/bin/sh\n${head}\necho "{\\"replica\\":\\"$SWITCHYARD_REPLICA\\",\\"version\\":\\"$VERSION\\"}"\n`;
const DIE = `#!/bin/sh\nkill -9 $(pidof httpd)\n`;

/** Why there can be none on this machine; undefined: there can. Throws where CI should have brought what is missing. */
export function lacksForDocker(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "dockerd needs Linux and root";
  const missing = PROGRAMS.filter((program) => locateProgram(program) === undefined);
  if (missing.length === 0) return undefined;
  const text = `${missing.join(", ")} must be on PATH (scripts/get-counterparts.sh)`;
  if (process.env["CI"] !== undefined) throw new Error(`Docker is not tested: ${text}`);
  return text;
}

export class Docker {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sy-docker-"));
  readonly host = `unix://${this.#folder}/docker.sock`;
  #daemon: ChildProcess | undefined;

  /** Throws with its last words where it cannot be. */
  async start(): Promise<void> {
    if (this.#daemon === undefined) layBridge();
    const at = (name: string) => path.join(this.#folder, name);
    const own = ["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid"), "-H", this.host];
    const network = ["--bridge", BRIDGE.name, "--iptables=false", "--ip6tables=false", "--ip-forward=false"];
    // A file, for it writes while we wait for its client.
    const log = openSync(at("log"), "w");
    const daemon = spawn("dockerd", [...own, ...network, "--ip-masq=false", "--storage-driver", "vfs"], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#daemon = daemon;
    const said = () => readFileSync(at("log"), "utf8").slice(-4_000);
    await waitUntil(async () => daemon.exitCode !== null || (await this.#answers()), 30_000, said);
    if (daemon.exitCode !== null) throw new Error(`dockerd ended with ${daemon.exitCode}: ${said()}`);
  }

  /** As kill -9 does it: containers go on. Its containerd dies with it, and may wait to be buried: the next must not take it for alive. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
    rmSync(path.join(this.#folder, "exec/containerd/containerd.pid"), { force: true });
  }

  async close(): Promise<void> {
    if (await this.#answers()) for (const name of this.names()) this.run("rm", "--force", name);
    await this.#end("SIGTERM");
    // What a dockerd that was killed has left: its containerd, those that look after containers, and what runs in them.
    const containers = path.join(this.#folder, "data/containers");
    const ids = existsSync(containers) ? readdirSync(containers) : [];
    for (const pid of processIds()) {
      const isOurs = ids.some((id) => told(pid, "cgroup").includes(id));
      if (isOurs || told(pid, "cmdline").includes(this.#folder)) kill(pid, "SIGKILL");
    }
    takeBridge();
    const mounts = readFileSync("/proc/mounts", "utf8").match(/\S+/g) ?? [];
    for (const mount of mounts.filter((each) => each.startsWith(this.#folder))) execFileSync("umount", ["-l", mount]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** docker, with these words. */
  run(...words: string[]): string {
    const env = { ...process.env, DOCKER_HOST: this.host };
    const stdio: StdioOptions = ["ignore", "pipe", "pipe"];
    return execFileSync("docker", words, { env, encoding: "utf8", stdio, timeout: 20_000 }).trim();
  }

  /** Of all containers that there are, or of those that run. */
  names(which: "all" | "running" = "all"): string[] {
    return lines(this.run("ps", ...(which === "all" ? ["--all"] : []), "--format", "{{.Names}}"));
  }

  /** Of the containers that have such a variable. */
  withVariable(variable: string, which: "all" | "running" = "all"): string[] {
    return this.names(which).filter((name) => this.variables(name).includes(variable));
  }

  variables(name: string): string[] {
    try {
      return JSON.parse(this.run("inspect", "--format", "{{json .Config.Env}}", name)) as string[];
    } catch {
      // It has gone meanwhile.
      return [];
    }
  }

  /** busybox and the server, as the image NAME. */
  makeImage(name: string): void {
    const root = path.join(this.#folder, "image");
    for (const each of ["bin", "tmp", "www/cgi-bin"]) mkdirSync(path.join(root, each), { recursive: true });
    copyFileSync(locateProgram("busybox")?.real ?? "", path.join(root, "bin/busybox"));
    for (const applet of APPLETS) symlinkSync("busybox", path.join(root, "bin", applet));
    const program = (file: string, text: string) => writeFileSync(path.join(root, file), text, { mode: 0o755 });
    program("serve", SERVE);
    program("www/cgi-bin/show", SHOW);
    program("www/cgi-bin/die", DIE);
    writeFileSync(path.join(root, "www/health"), "well\n");
    const tar = path.join(this.#folder, "image.tar");
    execFileSync("tar", ["--create", "--file", tar, "--directory", root, "."]);
    this.run("import", "--change", 'CMD ["/serve"]', tar, name);
  }

  async #answers(): Promise<boolean> {
    const env = { ...process.env, DOCKER_HOST: this.host };
    return promisify(execFile)("docker", ["info"], { env, timeout: 2_000 }).then(
      () => true,
      () => false,
    );
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, "exit");
    daemon.kill(signal);
    const timer = setTimeout(() => daemon.kill("SIGKILL"), 15_000);
    await ended;
    clearTimeout(timer);
  }
}

function layBridge(): void {
  takeBridge();
  busybox("brctl", "addbr", BRIDGE.name);
  busybox("ip", "address", "add", BRIDGE.address, "dev", BRIDGE.name);
  busybox("ip", "link", "set", BRIDGE.name, "up");
}

function takeBridge(): void {
  try {
    busybox("ip", "link", "set", BRIDGE.name, "down");
    busybox("brctl", "delbr", BRIDGE.name);
  } catch {
    // There is none.
  }
}

function busybox(...words: string[]): void {
  execFileSync("busybox", words, { stdio: "ignore" });
}

/** What /proc has of a process; nothing where it has gone. */
export function told(pid: number, what: "cgroup" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, "latin1");
  } catch {
    return "";
  }
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** One child process of a host: started, given a module, run one call at a time, killed when it does not end. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { SwitchyardError } from "../core/errors.ts";
import type { IsolateDefinition } from "../model/invocation.ts";
import { javascriptChild } from "./child/javascript.node.ts";

/** Deno lets code import files that its first module graph names; no address of a file leads anywhere here. */
const IMPORT_MAP = `data:application/json,${encodeURIComponent(
  JSON.stringify({
    imports: { "file:///": "https://denied.invalid/", "node:worker_threads": "https://denied.invalid/worker_threads" },
  }),
)}`;
const MOST_BYTES = 10 * 1024 * 1024;

export type Head = { t: string; id?: number; call?: number; method?: string; args?: unknown[] };

export function denoBinary(): string {
  const name = process.platform === "win32" ? "deno.exe" : "deno";
  try {
    const require = createRequire(import.meta.url);
    const folder = path.dirname(require.resolve("deno/package.json"));
    const libc = process.platform === "linux" ? "-glibc" : "";
    const file = path.join(folder, "..", "@deno", `${process.platform}-${process.arch}${libc}`, name);
    if (existsSync(file)) return file;
  } catch {
    // Not installed with us: see PATH.
  }
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    if (folder !== "" && existsSync(path.join(folder, name))) return path.join(folder, name);
  }
  throw new SwitchyardError(
    "not_supported",
    "Cannot run JavaScript modules: the host needs Deno, from npm or on PATH; it is missing",
    {
      hint: "npm install deno",
    },
  );
}

/** Node does not confine the code: only its environment is empty. */
function commandOf(runtime: "deno" | "node", network: readonly string[]): string[] {
  const child = javascriptChild();
  if (runtime === "node") return [process.execPath, "--input-type=module", "--eval", `import ${JSON.stringify(child)}`];
  const hosts = network.flatMap((host) => (host.includes(":") ? [host] : [`${host}:443`, `${host}:80`]));
  return [
    denoBinary(),
    "run",
    "--no-prompt",
    "--no-remote",
    "--no-npm",
    "--no-config",
    "--no-lock",
    `--import-map=${IMPORT_MAP}`,
    ...(hosts.length === 0 ? [] : [`--allow-net=${hosts.join(",")}`]),
    child,
  ];
}

export class Child {
  readonly #process: ChildProcess;
  #rest = Buffer.alloc(0);
  #stderr = "";
  isGone = false;
  onFrame: (head: Head, body: string) => void = () => undefined;
  onGone: (why: string) => void = () => undefined;

  constructor(runtime: "deno" | "node", definition: IsolateDefinition) {
    const [file = "", ...args] = commandOf(runtime, definition.network);
    this.#process = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      cwd: os.tmpdir(),
      env: { PATH: "/usr/bin:/bin", HOME: os.tmpdir(), NO_COLOR: "1" },
    });
    this.#process.stdout?.on("data", (piece: Buffer) => this.#take(piece));
    this.#process.stderr?.on("data", (piece: Buffer) => (this.#stderr = (this.#stderr + String(piece)).slice(-2_000)));
    this.#process.stdin?.on("error", () => undefined);
    this.#process.on("error", (error) => this.#gone(error.message));
    this.#process.on("exit", (code, signal) =>
      this.#gone(this.#stderr.trim().split("\n").at(-1) || `it ended with ${signal ?? code}`),
    );
    this.send({ t: "load", export: definition.export, secrets: definition.secrets }, definition.code);
  }

  send(head: object, body: string): void {
    const [a, b] = [Buffer.from(JSON.stringify(head)), Buffer.from(body)];
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(a.length, 0);
    lengths.writeUInt32BE(b.length, 4);
    this.#process.stdin?.write(Buffer.concat([lengths, a, b]));
  }

  kill(): void {
    if (this.isGone || this.#process.pid === undefined) return;
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  #gone(why: string): void {
    if (this.isGone) return;
    this.isGone = true;
    this.onGone(why);
  }

  #take(piece: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, piece]);
    try {
      while (this.#rest.length >= 8) {
        const [a, b] = [this.#rest.readUInt32BE(0), this.#rest.readUInt32BE(4)];
        if (a + b > MOST_BYTES) throw new Error("a frame over the limit");
        if (this.#rest.length < 8 + a + b) return;
        const head = JSON.parse(this.#rest.toString("utf8", 8, 8 + a)) as Head;
        const body = this.#rest.toString("utf8", 8 + a, 8 + a + b);
        this.#rest = this.#rest.subarray(8 + a + b);
        this.onFrame(head, body);
      }
    } catch {
      this.#stderr = "it wrote to standard output what is no frame";
      this.kill();
    }
  }
}

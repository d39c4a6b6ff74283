/** One child process of a host: started, given a module, run one call at a time, killed when it does not end or we die. */
import { type ChildProcess, spawn } from "node:child_process";
import os from "node:os";
import type { IsolateDefinition } from "../model/invocation.ts";
import { mortal, residentBytes } from "../executor/workerd.node.ts";

/** A process over it is killed. */
const CEILING_BYTES = 512 * 1024 * 1024;
const LOOK_MS = 50;
const MOST_BYTES = 10 * 1024 * 1024;

export type Head = { t: string; id?: number; call?: string; method?: string; args?: unknown[] };

export class Child {
  readonly #process: ChildProcess;
  #rest = Buffer.alloc(0);
  #stderr = "";
  readonly #looking: NodeJS.Timeout;
  #ending: NodeJS.Timeout | undefined;
  isGone = false;
  /** How far it has come: `started` when it has said its first word, `loaded` when the module's top level has run. */
  state: "new" | "started" | "loaded" = "new";
  onFrame: (head: Head, body: string) => void = () => undefined;
  onGone: (why: string) => void = () => undefined;

  constructor(command: readonly string[]) {
    const [program = "", ...words] = command;
    const [file, ...args] = mortal(program, ...words);
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
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  load(definition: IsolateDefinition): void {
    this.send({ t: "load", export: definition.export, secrets: definition.secrets }, definition.code);
  }

  send(head: object, body: string): void {
    const [a, b] = [Buffer.from(JSON.stringify(head)), Buffer.from(body)];
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(a.length, 0);
    lengths.writeUInt32BE(b.length, 4);
    this.#process.stdin?.write(Buffer.concat([lengths, a, b]));
  }

  endAfter(ms: number): void {
    this.#ending = setTimeout(() => this.kill(), ms).unref();
  }

  keep(): void {
    clearTimeout(this.#ending);
  }

  kill(): void {
    if (this.isGone || this.#process.pid === undefined) return;
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  #look(): void {
    const { pid } = this.#process;
    if (pid === undefined || (residentBytes(pid) ?? 0) <= CEILING_BYTES) return;
    this.#stderr = `it took more than ${CEILING_BYTES} bytes of memory`;
    this.kill();
  }

  #gone(why: string): void {
    if (this.isGone) return;
    this.isGone = true;
    clearInterval(this.#looking);
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
        if (head.t === "ready") this.state = "started";
        else if (head.t === "loaded") this.state = "loaded";
        else this.onFrame(head, body);
      }
    } catch {
      this.#stderr = "it wrote to standard output what is no frame";
      this.kill();
    }
  }
}

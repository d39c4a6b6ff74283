/**
 * One slot: a fixed socket behind which one workerd process after another runs. Starts, watches and kills it; decides
 * nothing but whether the process lives, answers and stays within its memory.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { LIMITS } from "../core/limits.ts";
import type { LossCause } from "./pool-state.ts";
import { askSocket } from "./_ask.node.ts";
import { MOVE_AFTER_MS } from "./protocol.ts";
import { StartJournal } from "./_journal.node.ts";
import { endLeftOver, residentBytes, socketAddress, startWorkerd, workerdConfig } from "./workerd.node.ts";

/** `stalled` still lives; `draining` finishes what it has and is replaced; `stopped` sleeps until it is wanted. */
export type SlotStatus = "stopped" | "starting" | "ready" | "stalled" | "draining" | "failing";

type Load = { isolates: number; inflight: number };
type Life = {
  child: ChildProcess;
  journal: StartJournal;
  generation: number;
  exited: Promise<void>;
  over: boolean;
  refuses: boolean;
};
type Lost = { hasStarted(id: string): boolean; cause: LossCause };

export type SlotOptions = {
  index: number;
  folder: string;
  script: string;
  edge: string;
  secret: string;
  onChange: () => void;
};

const LOOK_MS = 25;
const PING_MS = 100;
const STALLED_AFTER_MS = 300;
const UNREACHABLE_MS = 5_000;
/** How many ended processes of a slot are remembered for those who ask late. */
const REMEMBERED = 3;
const BACKOFF_MS = { first: 100, most: 5_000 };

export class Slot {
  readonly index: number;
  readonly address: string;
  readonly #options: SlotOptions;
  readonly #socketPath: string;
  readonly #configPath: string;
  readonly #pidPath: string;
  status: SlotStatus = "stopped";
  load: Load = { isolates: 0, inflight: 0 };
  rssBytes = 0;
  #life: Life | undefined;
  #generation = 0;
  #lost: (Lost & { journal: StartJournal })[] = [];
  #killCause: LossCause | undefined;
  #failures = 0;
  #pinger: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #pingAgeMs = 0;
  #lookedAtMs = 0;
  #pinging = false;
  /** The process lives, and yet nobody listens behind its socket: the file was removed, say. */
  #unreachable = false;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.index = options.index;
    const file = (name: string) => path.join(options.folder, name);
    this.#socketPath = file(`e${options.index}.sock`);
    this.#configPath = file(`e${options.index}.capnp`);
    this.#pidPath = file(`e${options.index}.pid`);
    this.address = socketAddress(this.#socketPath);
    writeFileSync(this.#configPath, workerdConfig({ ...options, socket: this.address }), { mode: 0o600 });
    try {
      endLeftOver(Number(readFileSync(this.#pidPath, "utf8")), this.#configPath);
    } catch {
      // No earlier life.
    }
  }

  get pid(): number | undefined {
    return this.#life?.child.pid;
  }

  get generation(): number {
    return this.#generation;
  }

  start(): void {
    if (this.#life !== undefined) return;
    clearTimeout(this.#restart);
    rmSync(this.#socketPath, { force: true });
    const generation = ++this.#generation;
    const journal = new StartJournal(path.join(this.#options.folder, `e${this.index}.${generation}.journal`));
    const stderr = openSync(path.join(this.#options.folder, `e${this.index}.log`), "w", 0o600);
    const child = startWorkerd(this.#configPath, journal.descriptor, stderr);
    closeSync(stderr);
    if (child.pid !== undefined) writeFileSync(this.#pidPath, String(child.pid), { mode: 0o600 });
    const { promise: exited, resolve: resolveExited } = Promise.withResolvers<void>();
    const life: Life = { child, journal, generation, exited, over: false, refuses: false };
    const over = () => {
      if (life.over) return;
      life.over = true;
      this.#onExit(life);
      resolveExited();
    };
    child.once("exit", over);
    child.once("error", over);
    this.#life = life;
    this.#killCause = undefined;
    this.load = { isolates: 0, inflight: 0 };
    this.rssBytes = 0;
    this.#pingAgeMs = 0;
    this.#pinging = false;
    this.#unreachable = false;
    this.#setStatus("starting");
    this.#pinger ??= setInterval(() => this.#look(), LOOK_MS);
  }

  /** Ends the process. `cause` is what those who were running are told. It starts again unless it is stopped. */
  async kill(cause: LossCause): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#killCause ??= cause;
    life.child.kill("SIGKILL");
    await life.exited;
  }

  async stop(): Promise<void> {
    this.#setStatus("stopped");
    clearInterval(this.#pinger);
    clearTimeout(this.#restart);
    this.#pinger = undefined;
    await this.kill("crash");
  }

  /** After stop(), for good. */
  forget(): void {
    for (const lost of this.#lost) lost.journal.close();
    this.#lost = [];
    for (const file of [this.#pidPath, this.#socketPath]) rmSync(file, { force: true });
  }

  /** From here on the process refuses new calls; when the last one ends, it is replaced. */
  async drain(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#setStatus("draining");
    try {
      await this.#ask("/drain");
      life.refuses = true;
    } catch {
      // It does not answer: the look below finds that out too.
    }
  }

  /** Whether a draining process has nothing left that a kill would lose. */
  get isDrained(): boolean {
    return this.status === "draining" && this.#life?.refuses === true && this.load.inflight === 0;
  }

  /**
   * Whether a call had started, in this process or one that ended lately. `lost`: its connection broke, which the
   * edge sees a moment before we see the exit. A process that goes on living all the same is given the time after which
   * it would refuse the call (START_FENCE_MS), so that the answer stays true.
   */
  async whatBecameOf(callId: string, lost: boolean): Promise<{ started: boolean; cause: LossCause | null }> {
    const life = this.#life;
    if (lost && life !== undefined && this.status !== "starting") {
      await Promise.race([life.exited, new Promise((resolve) => setTimeout(resolve, MOVE_AFTER_MS))]);
    }
    const ended = this.#lost.find((each) => each.hasStarted(callId));
    if (ended !== undefined) return { started: true, cause: ended.cause };
    return { started: this.journalHas(callId), cause: null };
  }

  /** Whether a call has started in the process of now. */
  journalHas(callId: string): boolean {
    return this.#life?.journal.hasStarted(callId) ?? false;
  }

  #onExit(life: Life): void {
    const early = this.status === "starting";
    this.#life = undefined;
    this.#lost.unshift({
      journal: life.journal,
      cause: this.#killCause ?? "crash",
      hasStarted: (id) => life.journal.hasStarted(id),
    });
    for (const old of this.#lost.splice(REMEMBERED)) old.journal.close();
    if (this.status === "stopped") return;
    // A process that dies at its start would die again: wait longer each time. One that had answered is replaced at once.
    this.#failures = early ? this.#failures + 1 : 0;
    const waitMs = early ? Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (this.#failures - 1)) : 0;
    this.#setStatus(early ? "failing" : "starting");
    this.#restart = setTimeout(() => this.start(), waitMs);
  }

  #look(): void {
    const life = this.#life;
    if (life?.child.pid === undefined) return;
    const now = performance.now();
    // On a machine that is short of time we are late as well: what we missed does not count against the process.
    this.#pingAgeMs += Math.min(now - this.#lookedAtMs, 2 * LOOK_MS);
    this.#lookedAtMs = now;
    if ((this.#pinging || this.#unreachable) && this.#pingAgeMs > STALLED_AFTER_MS && this.status === "ready") {
      this.#setStatus("stalled");
    }
    if (!this.#pinging && (this.status === "starting" || this.#pingAgeMs >= PING_MS)) {
      this.#pinging = true;
      if (!this.#unreachable) this.#pingAgeMs = 0;
      void this.#ping(life);
    }
    // What is under way has had its time to end; a new process makes a new socket.
    if (this.#unreachable && this.status === "stalled" && this.#pingAgeMs > UNREACHABLE_MS) void this.kill("crash");
    this.rssBytes = residentBytes(life.child.pid) ?? this.rssBytes;
    // The edge says when a call on a stalled process is late. Should it be gone itself, this ends the process.
    if (this.status === "stalled" && this.#pingAgeMs > LIMITS.syncTimeoutMaxMs) void this.kill("timeout");
  }

  async #ping(life: Life): Promise<void> {
    try {
      const load = JSON.parse(await this.#ask("/ping")) as Load;
      if (this.#life !== life) return;
      this.load = load;
      this.#failures = 0;
      this.#unreachable = false;
      if (this.status === "starting" || this.status === "stalled") this.#setStatus("ready");
      void life.journal.cut(async () => void (await this.#ask("/journal")));
    } catch {
      // Not up yet, or about to exit: the exit event says so.
      if (this.#life === life) this.#unreachable = this.status !== "starting";
    } finally {
      if (this.#life === life) this.#pinging = false;
    }
  }

  #ask(pathname: string): Promise<string> {
    return askSocket(this.#socketPath, pathname, this.#options.secret);
  }

  #setStatus(status: SlotStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.#options.onChange();
  }
}

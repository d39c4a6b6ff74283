/**
 * One slot: a fixed socket behind which one workerd process after another runs. Starts, watches and kills it; decides
 * nothing but whether the process lives, answers and stays within its memory. How closely it looks depends on whether
 * the process has work (_attention.node.ts).
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { LIMITS } from "../core/limits.ts";
import type { LossCause } from "./pool-state.ts";
import { askSocket } from "./_ask.node.ts";
import { Attention, type AttentionLimits } from "./_attention.node.ts";
import { MOVE_AFTER_MS } from "./protocol.ts";
import type { StartJournal } from "./_journal.node.ts";
import { type Life, type LifeFiles, startLife } from "./_life.node.ts";
import { endLeftOver, residentBytes, socketAddress, workerdConfig } from "./workerd.node.ts";

/** `stalled` still lives; `draining` finishes what it has and is replaced; `stopped` sleeps until it is wanted. */
export type SlotStatus = "stopped" | "starting" | "ready" | "stalled" | "draining" | "failing";

type Load = { isolates: number; inflight: number };
type Lost = { hasStarted(id: string): boolean; cause: LossCause };

export type SlotOptions = {
  index: number;
  folder: string;
  script: string;
  edge: string;
  secret: string;
  attention: AttentionLimits;
  onChange: () => void;
  /** After each look at the process. */
  onLook: (slot: Slot) => void;
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
  readonly #files: Omit<LifeFiles, "journal">;
  readonly #attention: Attention;
  status: SlotStatus = "stopped";
  load: Load = { isolates: 0, inflight: 0 };
  rssBytes = 0;
  #life: Life | undefined;
  #generation = 0;
  #lost: (Lost & { journal: StartJournal })[] = [];
  #killCause: LossCause | undefined;
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #pingAgeMs = 0;
  #lookedAtMs = 0;
  #pinging = false;
  /** The process lives, and yet nobody listens behind its socket: the file was removed, say. */
  #unreachable = false;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.index = options.index;
    const file = (name: string) => path.join(options.folder, `e${options.index}.${name}`);
    this.#socketPath = file("sock");
    this.#files = { config: file("capnp"), pid: file("pid"), log: file("log") };
    this.address = socketAddress(this.#socketPath);
    this.#attention = new Attention({ ...options.attention, lookMs: LOOK_MS, look: ({ isDue }) => this.#look(isDue) });
    writeFileSync(this.#files.config, workerdConfig({ ...options, socket: this.address }), { mode: 0o600 });
    try {
      endLeftOver(Number(readFileSync(this.#files.pid, "utf8")), this.#files.config);
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

  /** The process is at rest and looked at only now and then. */
  get isCalm(): boolean {
    return this.#attention.isCalm;
  }

  start(): void {
    if (this.#life !== undefined) return;
    clearTimeout(this.#restart);
    rmSync(this.#socketPath, { force: true });
    const generation = ++this.#generation;
    const files = { ...this.#files, journal: path.join(this.#options.folder, `e${this.index}.${generation}.journal`) };
    const life = startLife(files, generation, (ended) => this.#onExit(ended));
    this.#life = life;
    this.#killCause = undefined;
    this.load = { isolates: 0, inflight: 0 };
    this.rssBytes = 0;
    this.#pingAgeMs = 0;
    this.#pinging = false;
    this.#unreachable = false;
    this.#setStatus("starting");
    this.#attention.begin(life.journal);
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
    this.#attention.end();
    clearTimeout(this.#restart);
    await this.kill("crash");
  }

  /** After stop(), for good. */
  forget(): void {
    for (const lost of this.#lost) lost.journal.close();
    this.#lost = [];
    for (const file of [this.#files.pid, this.#socketPath]) rmSync(file, { force: true });
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
    this.#attention.attend();
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
    this.#attention.end();
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

  #look(isDue: boolean): { awaits: boolean } {
    const life = this.#life;
    if (life?.child.pid === undefined) return { awaits: false };
    const now = performance.now();
    // On a machine that is short of time we are late as well: what we missed does not count against the process.
    this.#pingAgeMs += Math.min(now - this.#lookedAtMs, 2 * LOOK_MS);
    this.#lookedAtMs = now;
    if ((this.#pinging || this.#unreachable) && this.#pingAgeMs > STALLED_AFTER_MS && this.status === "ready") {
      this.#setStatus("stalled");
    }
    if (!this.#pinging && (isDue || this.status === "starting" || this.#pingAgeMs >= PING_MS)) {
      this.#pinging = true;
      if (!this.#unreachable) this.#pingAgeMs = 0;
      void this.#ping(life);
    }
    // What is under way has had its time to end; a new process makes a new socket.
    if (this.#unreachable && this.status === "stalled" && this.#pingAgeMs > UNREACHABLE_MS) void this.kill("crash");
    this.rssBytes = residentBytes(life.child.pid) ?? this.rssBytes;
    // The edge says when a call on a stalled process is late. Should it be gone itself, this ends the process.
    if (this.status === "stalled" && this.#pingAgeMs > LIMITS.syncTimeoutMaxMs) void this.kill("timeout");
    this.#options.onLook(this);
    return { awaits: this.#pinging };
  }

  async #ping(life: Life): Promise<void> {
    try {
      const load = JSON.parse(await this.#ask("/ping")) as Load;
      if (this.#life !== life) return;
      this.load = load;
      this.#failures = 0;
      this.#unreachable = false;
      if (this.status === "starting" || this.status === "stalled") this.#setStatus("ready");
      this.#attention.answered({ isBusy: load.inflight > 0 || this.status !== "ready" });
      void life.journal.cut(async () => void (await this.#ask("/journal")));
    } catch {
      // Not up yet, or about to exit: the exit event says so.
      if (this.#life !== life) return;
      this.#unreachable = this.status !== "starting";
      this.#attention.attend();
    } finally {
      if (this.#life === life) this.#pinging = false;
    }
  }

  #ask(pathname: string): Promise<string> {
    // A kept connection works on when the socket's file is gone, where the edge's next one will not.
    const agent = existsSync(this.#socketPath) ? this.#life?.agent : undefined;
    return askSocket(this.#socketPath, pathname, this.#options.secret, agent);
  }

  #setStatus(status: SlotStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.#attention.attend();
    this.#options.onChange();
  }
}

/**
 * One platform that is killed again and again: `opctl dev` on a state folder and a port of its own, started again on both
 * when all of it is gone. Only processes below the one that was started here are ever killed.
 */
import { readFileSync } from "node:fs";
import { freePort, startDev, temporaryFolder, waitUntil, type Dev } from "../e2e/_platform.ts";

/** `edge` holds the Durable Objects, so it is the state process too. `platform` is every process of the tree. */
export const TARGETS = ["edge", "executor", "registry", "platform"] as const;
export type Target = (typeof TARGETS)[number];

/** How long a killed part may take to answer again, on a busy machine. Milliseconds. */
const BACK_WITHIN_MS = 60_000;

export class Victim {
  dev: Dev;
  readonly kills: Record<Target, number> = { edge: 0, executor: 0, registry: 0, platform: 0 };
  freezes = 0;
  readonly #args: readonly string[];
  /** What the processes that are gone had printed. */
  #printed = "";

  private constructor(dev: Dev, args: readonly string[]) {
    this.dev = dev;
    this.#args = args;
    process.once("exit", this.#endAll);
  }

  /** Whatever ends the harness, nothing of what it started stays. */
  readonly #endAll = (): void => {
    for (const pid of this.pidsOf("platform")) kill(pid);
  };

  static async start(options: { state?: string; args?: readonly string[] } = {}): Promise<Victim> {
    const args = options.args ?? [];
    const state = options.state ?? temporaryFolder();
    return new Victim(await startDev({ state, port: await freePort(), args }), args);
  }

  get total(): number {
    return Object.values(this.kills).reduce((sum, count) => sum + count, 0);
  }

  /** All that the platform has printed, over its lives. */
  printed(): string {
    return this.#printed + this.dev.output();
  }

  pidsOf(target: Target): number[] {
    const { pid } = this.dev.child;
    if (pid === undefined || this.dev.child.exitCode !== null) return [];
    if (target === "platform") return familyOf(pid);
    return childrenOf(pid).filter((child) => kindOf(child) === target);
  }

  /** Answers whether there was anything to kill. With `platform`, resolves when it has been started again. */
  async kill(target: Target, pick: (pids: readonly number[]) => number = ([first]) => first ?? 0): Promise<boolean> {
    // A stopped parent starts nothing anew while the family is counted and killed.
    if (target === "platform" && this.dev.child.pid !== undefined) process.kill(this.dev.child.pid, "SIGSTOP");
    const pids = this.pidsOf(target);
    if (pids.length === 0) return false;
    for (const pid of target === "platform" ? pids : [pick(pids)]) kill(pid);
    this.kills[target] += 1;
    if (target === "platform") await this.#startAgain();
    return true;
  }

  /**
   * Stops the edge's process for a while, as a machine that sleeps or swaps does. Over the time of a lease, attempts are taken
   * for lost that then go on and answer late.
   */
  async freeze(ms: number): Promise<boolean> {
    const [pid] = this.pidsOf("edge");
    if (pid === undefined) return false;
    signal(pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, ms));
    signal(pid, "SIGCONT");
    this.freezes += 1;
    return true;
  }

  async #startAgain(): Promise<void> {
    const { child, state, port } = this.dev;
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once("exit", resolve));
    }
    this.#printed += this.dev.output();
    this.dev = await startDev({ state, port, args: this.#args });
  }

  async isUp(): Promise<boolean> {
    try {
      const response = await this.dev.request("/executions?limit=1", { signal: AbortSignal.timeout(5_000) });
      await response.text();
      return response.ok;
    } catch {
      return false;
    }
  }

  async untilUp(): Promise<void> {
    await waitUntil(
      () => this.isUp(),
      BACK_WITHIN_MS,
      () => `the platform does not answer; it printed ${this.printed().slice(-2_000)}`,
    );
  }

  /** Ends it in order; what it printed stays readable. */
  async stop(options: { keep?: boolean } = {}): Promise<void> {
    await this.dev.stop(options);
    process.off("exit", this.#endAll);
  }
}

function kill(pid: number): void {
  signal(pid, "SIGKILL");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

/** Children first, so that nobody is left to start them again unseen. */
function familyOf(pid: number): number[] {
  return [...childrenOf(pid).flatMap(familyOf), pid];
}

function kindOf(pid: number): Exclude<Target, "platform"> | undefined {
  const command = read(`/proc/${pid}/cmdline`);
  if (command.includes("registry")) return "registry";
  // Until setpriv has become workerd there is nothing to kill yet.
  if (!command.includes("workerd") || command.startsWith("setpriv") || command.startsWith("/bin/sh")) return undefined;
  return command.includes(".capnp") ? "executor" : "edge";
}

/** Empty when the process has just ended. */
function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

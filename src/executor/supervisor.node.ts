/**
 * Keeps executor processes alive and honest on one machine. Endless loops and huge allocations cannot be stopped inside
 * a workerd, so they are stopped from outside:
 *
 * - one slot is active and takes ordinary calls, another is its warm spare; a process that does not answer for 300 ms
 *   hands over to the spare at once, and is killed when the first call on it is past its time-out;
 * - a process over the memory ceiling is killed; one that has loaded many isolates or grown fat is drained and replaced,
 *   because isolates are never unloaded;
 * - operations that were running in a process that was killed are suspects and run in dedicated slots until they have
 *   behaved (_suspects.ts).
 *
 * It looks that closely only while there is work, and from the first moment of it (_attention.node.ts).
 * The edge learns of changes through `onState`, and asks what became of a call over the supervisor's socket.
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { LossAnswer, LossQuestion, PoolState, StallReport } from "./pool-state.ts";
import type { AttentionLimits } from "./_attention.node.ts";
import { endQuietStall } from "./_quiet-stall.node.ts";
import { Slot } from "./_slot.node.ts";
import { Suspects } from "./_suspects.ts";
import { socketAddress } from "./workerd.node.ts";
import { serveSupervisor } from "./supervisor-server.node.ts";

/** How long the spare waits for the edge's word on who was running when the active process stalled. */
const HANDOVER_MS = 100;

const MIB = 1024 * 1024;

export type ExecutorLimits = {
  /** A process over it is killed. */
  ceilingBytes: number;
  /** A process over either is drained and replaced. */
  drainAtBytes: number;
  drainAtIsolates: number;
  generalSlots: number;
  dedicatedSlots: number;
  /** A dedicated process without calls for this long is stopped; the next call wakes it. */
  idleStopMs: number;
} & AttentionLimits;

export const EXECUTOR_LIMITS: ExecutorLimits = {
  ceilingBytes: 1024 * MIB,
  drainAtBytes: 512 * MIB,
  drainAtIsolates: 500,
  generalSlots: 2,
  dedicatedSlots: 2,
  idleStopMs: 60_000,
  calmAfterMs: 5_000,
  calmLookMs: 1_000,
};

export type StartOptions = {
  /** Gets a folder `x` of its own. Two platforms on one folder are the caller's to prevent. */
  stateDir: string;
  /** JavaScript of src/executor-process.ts, bundled: one ESM. */
  script: string;
  /** Where the edge listens, as workerd writes addresses: `127.0.0.1:8787` or `unix:/path`. For ctx.call. */
  edgeAddress: string;
  secret: string;
  limits?: Partial<ExecutorLimits>;
  /** Called with every change; what it throws is ignored, since the edge also asks. */
  onState?: (state: PoolState) => void;
};

export type Executors = {
  /** For the worker's bindings: `SLOT_<index>` → address. */
  slots: readonly { name: string; address: string }[];
  supervisorAddress: string;
  state(): PoolState;
  /** For opctl doctor and the tests. */
  report(): readonly {
    slot: number;
    status: string;
    pid: number | undefined;
    generation: number;
    rssBytes: number;
    isolates: number;
    inflight: number;
    isCalm: boolean;
  }[];
  onState(listener: (state: PoolState) => void): void;
  close(): Promise<void>;
};

export async function startExecutors(options: StartOptions): Promise<Executors> {
  const limits = { ...EXECUTOR_LIMITS, ...options.limits };
  const folder = path.join(path.resolve(options.stateDir), "x");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const script = path.join(folder, "executor-process.js");
  writeFileSync(script, options.script, { mode: 0o600 });

  const listeners = new Set<(state: PoolState) => void>();
  if (options.onState) listeners.add(options.onState);
  const slots: Slot[] = [];
  const general = () => slots.slice(0, limits.generalSlots);
  const dedicated = () => slots.slice(limits.generalSlots);
  const suspects = new Suspects(
    Array.from({ length: limits.dedicatedSlots }, (_, index) => limits.generalSlots + index),
  );
  let active: number | null = null;
  let version = Date.now() * 1000; // newer than any version of an earlier supervisor
  let closed = false;

  const state = (): PoolState => ({
    version,
    active,
    ready: slots.filter((slot) => slot.status === "ready").map((slot) => slot.index),
    stalled: slots.filter((slot) => slot.status === "stalled").map((slot) => slot.index),
    stopped: slots.filter((slot) => slot.status === "stopped").map((slot) => slot.index),
    dedicated: suspects.placements(),
  });

  const publish = () => {
    version += 1;
    for (const listener of listeners) {
      try {
        listener(state());
      } catch {
        // The edge asks again when it has to.
      }
    }
  };

  let holding: NodeJS.Timeout | undefined;
  const handOver = () => {
    clearTimeout(holding);
    holding = undefined;
    active = general().find((slot) => slot.status === "ready")?.index ?? null;
    publish();
  };
  /** The operations that a stalled slot has made suspects of. */
  const accusedBy = new Map<Slot, readonly string[]>();
  const changed = () => {
    if (closed) return;
    for (const [slot, operations] of accusedBy) {
      if (slot.status === "stalled") continue;
      accusedBy.delete(slot);
      if (slot.status === "ready") suspects.acquit(operations);
    }
    const status = active === null ? undefined : slots[active]?.status;
    // The edge first says what was running there, so that the guilty operation is not let loose on the spare.
    if (status === "stalled") holding ??= setTimeout(handOver, HANDOVER_MS);
    else if (status !== "ready") return handOver();
    publish();
  };

  for (let index = 0; index < limits.generalSlots + limits.dedicatedSlots; index++) {
    slots.push(
      new Slot({
        index,
        folder,
        script: path.basename(script),
        edge: options.edgeAddress,
        secret: options.secret,
        attention: limits,
        onChange: changed,
        onLook: (slot) => judge(slot),
      }),
    );
  }

  const accuse = (operation: string, killed: boolean) => {
    suspects.accuse(operation, { killed });
    for (const slot of dedicated()) if (suspects.isUsed(slot.index)) slot.start();
    publish();
  };

  const lastBusyAtMs = new Map<Slot, number>();
  const judge = (slot: Slot) => {
    const now = performance.now();
    const isDedicated = slot.index >= limits.generalSlots;
    const isWorn = slot.load.isolates >= limits.drainAtIsolates || slot.rssBytes > limits.drainAtBytes;
    if (slot.load.inflight > 0 || slot.status !== "ready") lastBusyAtMs.set(slot, now);
    const isIdle = now - (lastBusyAtMs.get(slot) ?? now) > limits.idleStopMs || !suspects.isUsed(slot.index);
    if (slot.rssBytes > limits.ceilingBytes) {
      void slot.kill("memory");
    } else if (slot.isDrained) {
      // A dedicated one sleeps until it is wanted.
      void (isDedicated ? slot.stop() : slot.kill("crash"));
    } else if (slot.status === "ready" && isDedicated && (isIdle || isWorn)) {
      void slot.drain();
    } else if (
      isWorn &&
      slot.status === "ready" &&
      general().some((other) => other !== slot && other.status === "ready")
    ) {
      // Without another one that is ready, a worn process is better than none.
      void slot.drain();
    }
  };

  const supervisorPath = path.join(folder, "s.sock");
  const supervisorAddress = socketAddress(supervisorPath);
  const server = await serveSupervisor(supervisorPath, options.secret, {
    state,
    async lost(question: LossQuestion): Promise<LossAnswer> {
      const slot = slots[question.slot];
      const fate =
        slot === undefined ? { started: true, cause: null } : await slot.whatBecameOf(question.call_id, question.lost);
      if (fate.started && question.lost) accuse(question.operation, true);
      return { ...fate, state: state() };
    },
    stalled({ slot: index, calls, last }: StallReport): void {
      const slot = slots[index];
      if (slot?.status !== "stalled") return;
      const started = Object.entries(calls).filter(([id]) => slot.journalHas(id));
      const operations = started.map(([, operation]) => operation);
      accusedBy.set(slot, operations);
      for (const operation of operations) accuse(operation, false);
      // Whoever answered last is the likeliest to have gone on; who is wrongly taken for it is soon back by behaving.
      if (started.length === 0) endQuietStall(slot, () => last !== null && accuse(last, true));
      if (index === active) handOver();
    },
    late(index: number): void {
      const slot = slots[index];
      if (slot?.status === "stalled") void slot.kill("timeout");
    },
    behaved(operation: string): void {
      suspects.clear(operation);
      changed();
    },
    wake(index: number): void {
      slots[index]?.start();
    },
  });

  for (const slot of general()) slot.start();
  return {
    slots: slots.map((slot) => ({ name: `SLOT_${slot.index}`, address: slot.address })),
    supervisorAddress,
    state,
    report: () =>
      slots.map((slot) => ({
        slot: slot.index,
        status: slot.status,
        pid: slot.pid,
        generation: slot.generation,
        rssBytes: slot.rssBytes,
        isCalm: slot.isCalm,
        ...slot.load,
      })),
    onState: (listener) => void listeners.add(listener),
    async close(): Promise<void> {
      closed = true;
      await Promise.all(slots.map((slot) => slot.stop()));
      for (const slot of slots) slot.forget();
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

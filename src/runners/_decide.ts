/** Who gets an order, and what a hello means: decisions over plain data; pool.ts acts on them. */
import { lacking, type Capabilities } from "../model/environment.ts";
import { CLOSE, LEASE_IDLE_MS, LEASE_MS, RUNNER_PROTOCOL, type Declared } from "../model/runner-protocol.ts";

/** What is known of a runner when something is decided. */
export type Candidate = {
  declared: Declared;
  /** Of its slots, those that are taken. */
  inFlight: number;
  /** It has something that would be lost with it, so it gives signs of life more often. */
  isBusy: boolean;
  /** Its socket is open. Without, it may come back within its grace. */
  connected: boolean;
  draining: boolean;
  /** Since its last sign of life. */
  silentMs: number;
  /** It has run this isolate before. */
  warm: boolean;
};

export type Wanted = {
  runnable: string;
  requires: Capabilities;
  capabilities: Capabilities;
  on?: string | undefined;
  beside?: true | undefined;
};

/** Why it can never take the order, as a sentence's end; undefined when it can. */
export function misfit({ declared }: Pick<Candidate, "declared">, wanted: Wanted): string | undefined {
  if (wanted.on !== undefined && declared.name !== wanted.on) return `it is for the runner "${wanted.on}" alone`;
  if (!declared.runs.includes(wanted.runnable)) {
    return `it does not run ${wanted.runnable} (its --allow says ${declared.runs.filter((sort) => sort !== "replica").join(", ") || "nothing"})`;
  }
  return lacking({ ...wanted.capabilities, ...declared.capabilities }, wanted.requires);
}

/** How long it may be silent. */
export function leaseOf({ isBusy }: Pick<Candidate, "isBusy">): number {
  return isBusy ? LEASE_MS : LEASE_IDLE_MS;
}

/** Whether work may be handed to it now. What takes no slot goes on while it drains: its replicas are still being used. */
export function isFree(runner: Candidate, { beside }: Pick<Wanted, "beside"> = {}): boolean {
  const hasRoom = beside === true || (!runner.draining && runner.inFlight < runner.declared.slots);
  return runner.connected && hasRoom && runner.silentMs <= leaseOf(runner);
}

/** It seems gone, and has nothing that would be lost with it. */
export function isInDoubt(runner: Candidate): boolean {
  return runner.connected && !runner.isBusy && runner.silentMs > leaseOf(runner);
}

/** Whether it may be worth waiting for. */
export function mayTake(runner: Candidate, wanted: Wanted): boolean {
  return (wanted.beside === true || !runner.draining) && misfit(runner, wanted) === undefined;
}

/** The one that gets it: a warm one first, then the one with the most free slots. undefined: nobody can now. */
export function pick<Runner extends Candidate>(runners: readonly Runner[], wanted: Wanted): Runner | undefined {
  let best: Runner | undefined;
  for (const runner of runners) {
    if (!isFree(runner, wanted) || misfit(runner, wanted) !== undefined) continue;
    if (best === undefined || isBetter(runner, best)) best = runner;
  }
  return best;
}

function isBetter(one: Candidate, other: Candidate): boolean {
  if (one.warm !== other.warm) return one.warm;
  return one.declared.slots - one.inFlight > other.declared.slots - other.inFlight;
}

/** Why nobody fits, as a sentence's end. */
export function whyNobody(runners: readonly Pick<Candidate, "declared" | "draining">[], wanted: Wanted): string {
  if (wanted.on !== undefined && runners.every(({ declared }) => declared.name !== wanted.on)) {
    return `the runner "${wanted.on}" must be connected; it is not`;
  }
  if (runners.length === 0) return "no runner is connected";
  const reasons = runners
    .slice(0, 3)
    .map((runner) => `${runner.declared.name}: ${runner.draining ? "it is draining" : misfit(runner, wanted)}`);
  const more = runners.length > 3 ? ` (and ${runners.length - 3} more)` : "";
  return `none of the ${runners.length} connected fits: ${reasons.join("; ")}${more}`;
}

export type Verdict =
  | { kind: "new" }
  /** The same process as before: it goes on with what it has. */
  | { kind: "resume" }
  /** A name whose holder has fallen silent goes to the new one. */
  | { kind: "inherit" }
  | { kind: "close"; code: number; reason: string };

/** `holder`: the runner that has the name already. Reasons are at most 123 bytes, as the WebSocket protocol wants. */
export function judgeHello(
  hello: { protocol: number; name: string; instance: string; version: string },
  holder: Candidate | undefined,
): Verdict {
  if (hello.protocol !== RUNNER_PROTOCOL) {
    const todo =
      hello.protocol < RUNNER_PROTOCOL ? "npm i -g switchyard@latest" : "the platform is older than the runner";
    return {
      kind: "close",
      code: CLOSE.outdated.code,
      reason: `host_outdated: protocol must be ${RUNNER_PROTOCOL}; it is ${hello.protocol}: ${todo}`,
    };
  }
  if (holder === undefined) return { kind: "new" };
  if (holder.declared.instance === hello.instance) return { kind: "resume" };
  if (!holder.connected || holder.silentMs > leaseOf(holder)) return { kind: "inherit" };
  const reason = `the name "${hello.name.slice(0, 40)}" is another live runner's; give this one its own --name`;
  return { kind: "close", code: CLOSE.name_taken.code, reason };
}

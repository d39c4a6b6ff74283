/** What making attempts needs of the rest of the platform. */
import type { RanAt } from "../dispatch/dispatch.ts";
import type { InvokePorts } from "../dispatch/invoke.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { Ending } from "./messages.ts";
import type { Payloads } from "./payloads.ts";
import type { WantedPort } from "./port.ts";

/** What a runner asks of the shard whose attempts it makes. */
export type RunnerShard = {
  settle(text: string): Promise<string>;
  renew(attempts: { id: string; attempt: number }[]): Promise<string[]>;
  progress(id: string, attempt: number, items: string): Promise<boolean>;
};

export type RunnerPorts = InvokePorts & {
  registry: {
    resolve(name: string, options: { revision?: number }): Promise<{ operation: ResolvedOperation }>;
    principalById(id: string): Promise<Principal>;
  };
  payloads: Payloads;
  wanted: WantedPort;
  /** What became of an execution, for those of this isolate who wait for it. */
  ended(id: string, outcome: Outcome): void;
  /** Waits a moment while there is more urgent work in this isolate. */
  giveWay(): Promise<void>;
};

/** One attempt, made. */
export type Run = { outcome: Outcome; ending: Ending } & RanAt;

/** One process of a slot from its start to its end, with what belongs to it alone: its start journal and connections. */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { StartJournal } from "./_journal.node.ts";
import { startWorkerd } from "./workerd.node.ts";

export type Life = {
  child: ChildProcess;
  journal: StartJournal;
  /** Keeps the connection for pings. */
  agent: Agent;
  generation: number;
  exited: Promise<void>;
  /** The process is known to take no more calls. */
  refuses: boolean;
};

export type LifeFiles = { config: string; journal: string; log: string; pid: string };

/** `onOver` is called once, before `exited` resolves, also where the process could not be started at all. */
export function startLife(files: LifeFiles, generation: number, onOver: (life: Life) => void): Life {
  const journal = new StartJournal(files.journal);
  const stderr = openSync(files.log, "w", 0o600);
  const child = startWorkerd(files.config, journal.descriptor, stderr);
  closeSync(stderr);
  if (child.pid !== undefined) writeFileSync(files.pid, String(child.pid), { mode: 0o600 });
  const { promise: exited, resolve: resolveExited } = Promise.withResolvers<void>();
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 1 });
  const life: Life = { child, journal, agent, generation, exited, refuses: false };
  let isOver = false;
  const over = () => {
    if (isOver) return;
    isOver = true;
    agent.destroy();
    onOver(life);
    resolveExited();
  };
  child.once("exit", over);
  child.once("error", over);
  return life;
}

/**
 * One script of calls, over and over, with the edge killed after the n-th write to its objects' write-ahead logs, n = 1, 2,
 * 3, … until the script ends before the n-th. The writes are seen from outside, as inotify tells them (fs.watch): a commit
 * is one or more of them, so this also kills within a commit. The kill follows a write by the time that takes to be told,
 * well under a millisecond on an idle machine: what was acknowledged meanwhile is part of the history that is checked.
 */
import { watch, type FSWatcher } from "node:fs";
import path from "node:path";
import type { Asked, History } from "./_history.ts";
import type { Client } from "./_client.ts";
import type { Victim } from "./_victim.ts";

const OBJECTS = "objects/switchyard-ExecutionShard";
const ANSWER_WITHIN_MS = 60_000;
const END_WITHIN_MS = 60_000;

type Parts = { victim: Victim; client: Client; history: History };

export type EveryWrite = {
  /** Which writes are killed after: every `step`-th, `rounds` of them at most. */
  step: number;
  rounds: number;
  say: (line: string) => void;
};

/** Answers how many rounds ended with a kill, and how many writes the script makes when it is let alone. */
export async function killAtEveryWrite(
  parts: Parts,
  { step, rounds, say }: EveryWrite,
): Promise<{ kills: number; writes: number }> {
  let kills = 0;
  for (let nth = 1; kills < rounds; nth += step) {
    const { killed, writes } = await round(parts, nth);
    if (!killed) return { kills, writes };
    kills += 1;
    if (kills % 25 === 0) say(`killed after each of the first ${nth} writes`);
  }
  return { kills, writes: (await round(parts, Number.POSITIVE_INFINITY)).writes };
}

async function round(parts: Parts, nth: number): Promise<{ killed: boolean; writes: number }> {
  const { victim } = parts;
  await victim.untilUp();
  let writes = 0;
  let killed = false;
  const onWrite = (_event: string, file: string | null): void => {
    if (file?.endsWith("-wal") !== true) return;
    writes += 1;
    if (writes < nth || killed) return;
    killed = true;
    void victim.kill("edge");
  };
  const watcher: FSWatcher = watch(path.join(victim.dev.state, OBJECTS), onWrite);
  try {
    await runScript(parts);
  } finally {
    watcher.close();
  }
  return { killed, writes };
}

/** About ten calls, of each kind, one after the other; then all of them are followed to their ends. */
async function runScript({ client, history }: Parts): Promise<void> {
  const giveUpAt = Date.now() + ANSWER_WITHIN_MS;
  const asked: Asked[] = [];
  const call = async (request: Asked): Promise<string | undefined> => {
    if (!asked.includes(request)) asked.push(request);
    return client.call(request, giveUpAt);
  };
  const key = (): { key: string } => ({ key: `script-${history.asked.length}` });
  const first = history.ask("soak_fast", {}, key());
  await call(first);
  await call(history.ask("soak_terminal", {}, key()));
  await call(history.ask("soak_later", {}, key()));
  await call(history.ask("soak_lane", { lane: "a", ms: 30 }, key()));
  await call(history.ask("soak_lane", { lane: "a", ms: 30 }, key()));
  await call(history.ask("soak_fast", {}, { ...key(), query: "?delay_ms=150" }));
  await call(history.ask("soak_flaky", {}, key()));
  await call(history.ask("soak_parent", { ms: 50 }, key()));
  const cancelled = await call(history.ask("soak_slow", { ms: 30_000 }, key()));
  await call(first);
  if (cancelled !== undefined) await cancelFor(client, history, cancelled);
  await Promise.all(asked.flatMap(({ ids }) => ids).map((id) => follow({ client, history }, id)));
}

/** Until it is answered: what it cancels would run for long. */
async function cancelFor(client: Client, history: History, id: string): Promise<void> {
  const giveUpAt = Date.now() + ANSWER_WITHIN_MS;
  do {
    await client.cancel(id);
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (history.cancels.at(-1)?.answer === "unknown" && Date.now() < giveUpAt);
}

async function follow({ client, history }: Pick<Parts, "client" | "history">, id: string): Promise<void> {
  for (const giveUpAt = Date.now() + END_WITHIN_MS; Date.now() < giveUpAt;) {
    const seen = await client.seen(id);
    if (seen !== undefined) return void history.ended.set(id, seen);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  history.wrong("everything ends", `not within ${END_WITHIN_MS} ms of the kill`, id);
}

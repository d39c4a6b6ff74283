/** The whole harness: load, kills in some pattern, then everything is waited for, read and checked. */
import { isFinal } from "../../src/model/execution-states.ts";
import { check } from "./_check.ts";
import { Client } from "./_client.ts";
import { History, type Seen, type Violation } from "./_history.ts";
import { Load } from "./_load.ts";
import { killAtEveryWrite, type EveryWrite } from "./_every-write.ts";
import { installOperations } from "./_operations.ts";
import { createRandom, type Random } from "./_random.ts";
import { restartUnder } from "./_restarts.ts";
import { Victim, type Target } from "./_victim.ts";

type Say = (line: string) => void;

export type SoakOptions = {
  /** At random times, under load. */
  random?: {
    kills: number;
    seed: number;
    /** Longest time between two kills. Milliseconds. */
    gapMs: number;
    /** How many call at the same time. */
    callers: number;
    /** Now and then the edge stands still for longer than a lease. */
    freezes: boolean;
  };
  /** After the writes of a script. */
  writes?: Omit<EveryWrite, "say">;
  /** Of the edge, under one attempt that takes `attemptMs`. */
  restarts?: { restarts: number; attemptMs: number };
  /** How long everything may take to end after the last kill. */
  endWithinMs: number;
  say: Say;
};

export type SoakResult = {
  kills: Record<Target, number>;
  violations: Violation[];
  records: Map<string, Seen>;
  summary: string[];
};

/** Longer than a lease. Milliseconds. */
const FREEZE_MS = 11_000;

const WEIGHTS: readonly (readonly [number, Target])[] = [
  [40, "edge"],
  [30, "executor"],
  [15, "registry"],
  [15, "platform"],
];

type Parts = { victim: Victim; client: Client; history: History };

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { say, endWithinMs } = options;
  const victim = await Victim.start();
  try {
    await installOperations(victim.dev);
    const history = new History();
    const client = new Client(victim, history);
    const parts = { victim, client, history };
    const startedAt = Date.now();
    const notes: string[] = [];
    if (options.writes !== undefined) {
      const { kills, writes } = await killAtEveryWrite(parts, { ...options.writes, say });
      notes.push(`script       killed after ${kills} of its writes; let alone it makes ${writes}`);
    }
    if (options.restarts !== undefined) await restartUnder(parts, { ...options.restarts, say });
    if (options.random !== undefined) await killUnderLoad(parts, { ...options.random, endWithinMs, say });
    await victim.untilUp();
    await endOthers(client, endWithinMs);
    // Once more, so that what is read now comes from the disk.
    await victim.kill("platform");
    await victim.untilUp();
    const records = await readAll(client);
    const violations = check(history, records);
    const seconds = (Date.now() - startedAt) / 1_000;
    const summary = [...notes, ...summarize({ ...parts, records, seconds })];
    return { kills: victim.kills, violations, records, summary };
  } finally {
    await victim.stop();
  }
}

async function killUnderLoad(
  { victim, client, history }: Parts,
  options: NonNullable<SoakOptions["random"]> & { endWithinMs: number; say: Say },
): Promise<void> {
  const { seed, callers, endWithinMs, say } = options;
  const load = new Load(client, history, { random: createRandom(seed + 1), callers });
  load.start();
  await killAtRandom(victim, createRandom(seed), options);
  await victim.untilUp();
  await load.stop();
  say("no more kills: waiting until everything has ended");
  const stuck = await load.untilAllEnded(endWithinMs);
  for (const id of stuck) history.wrong("everything ends", `not within ${endWithinMs} ms of the last kill`, id);
}

async function killAtRandom(
  victim: Victim,
  random: Random,
  { kills, gapMs, freezes, say }: NonNullable<SoakOptions["random"]> & { say: Say },
): Promise<void> {
  const before = victim.total;
  for (let said = 0; victim.total - before < kills;) {
    await new Promise((resolve) => setTimeout(resolve, random.between(0, gapMs)));
    if (freezes && random.next() < 0.03) await victim.freeze(FREEZE_MS);
    const target = random.pick(WEIGHTS);
    // What is dead already is not killed again: somebody else's turn.
    await victim.kill(target, (pids) => pids[random.between(0, pids.length - 1)] ?? 0);
    const done = victim.total - before;
    if (done - said >= 25) say(`${(said = done)} kills ${JSON.stringify(victim.kills)}`);
  }
}

/** Children, and what was accepted without an answer: nobody follows them. */
async function endOthers(client: Client, withinMs: number): Promise<void> {
  const giveUpAt = Date.now() + withinMs;
  for (const status of ["queued", "running", "retrying"]) {
    while ((await client.list(`&status=${status}`)).length > 0 && Date.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function readAll(client: Client): Promise<Map<string, Seen>> {
  const records = new Map<string, Seen>();
  const left = await client.list();
  const read = async (): Promise<void> => {
    for (let listed = left.pop(); listed !== undefined; listed = left.pop()) {
      if (listed.mode === "sync") continue;
      const view = await client.view(listed.id);
      if (view === undefined) throw new Error(`cannot read ${listed.id}, which is listed`);
      const ended = isFinal(view.status) ? await client.seen(listed.id, view) : undefined;
      records.set(listed.id, ended ?? { view, output: undefined, logs: [], n: undefined });
    }
  };
  await Promise.all(Array.from({ length: 8 }, read));
  return records;
}

function summarize(run: {
  victim: Victim;
  history: History;
  client: Client;
  records: ReadonlyMap<string, Seen>;
  seconds: number;
}): string[] {
  const { victim, history, client, records, seconds } = run;
  const ends = [...records.values()].flatMap(({ view }) => view.attempts.map(({ end }) => end));
  return [
    `kills        ${victim.total} in ${seconds.toFixed(0)} s: ${counted(Object.entries(victim.kills))}; frozen ${victim.freezes} times`,
    `requests     ${history.asked.length}, acknowledged ${history.ids().size}, unknown for want of a key ${history.asked.filter(({ isUnknown }) => isUnknown).length}`,
    `not answered ${counted(client.refusals)}`,
    `executions   ${records.size}: ${counted(count([...records.values()].map(({ view }) => view.status)))}`,
    `attempts     ${ends.length}: ${counted(count(ends))}`,
    `cancels      ${counted(count(history.cancels.map(({ answer }) => answer)))}`,
  ];
}

function count(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function counted(counts: Iterable<readonly [string, number]>): string {
  return [...counts].map(([word, n]) => `${word} ${n}`).join(", ") || "none";
}

/** Each violation with the record it is about, at most `limit` of them. */
export function explain({ violations, records }: SoakResult, limit = 10): string[] {
  return violations.slice(0, limit).map(({ rule, what, id }) => {
    const said = `VIOLATED ${rule}: ${what}`;
    return id === undefined ? said : `${said}\n         ${id} ${JSON.stringify(records.get(id) ?? "has no record")}`;
  });
}

/**
 * An asynchronous call beside Restate's, in alternating rounds: accepted and answered, completed per second, and accepted
 * only. The musts are about the default platform, whose handlers run in processes of their own; `inline` is for comparison.
 */
import { median, runLoad, type Served } from "../_harness.ts";
import type { LoadResult } from "../load.ts";
import { ms, times, type Measured } from "../musts.ts";
import { accept, complete, drained, OUTPUT, startDurable, BODY } from "./platform.ts";
import type { Restate } from "./restate.ts";

const ROUNDS = 5;
const SECONDS = 2;
const CONNECTIONS = 50;

type Run = (connections: number) => Promise<LoadResult>;
type Subject = { name: string; run: Run; drained?: () => Promise<number> };
type Round = LoadResult & { backlogMs: number };

export async function measureCalls(restate: Restate | undefined): Promise<Measured[]> {
  const served: Served[] = [];
  try {
    for (const executor of ["process", "inline"] as const) served.push(await startDurable(executor));
    const [process_, inline] = served as [Served, Served];
    const wait = [
      ...peers(restate, ["echo", "echo_step"]),
      { name: "ours, process", run: answered((connections) => complete(process_, { connections, seconds: SECONDS })) },
      { name: "ours, inline", run: answered((connections) => complete(inline, { connections, seconds: SECONDS })) },
    ];
    const acceptOnly = [
      ...peers(restate, ["echo/send"]),
      ...[process_, inline].map((platform, index) => ({
        name: `ours, ${index === 0 ? "process" : "inline"}`,
        run: (connections: number) => accept(platform, { connections, seconds: SECONDS }),
        drained: () => drained(platform),
      })),
    ];
    const one = await rounds(`accept → result back, 1 connection`, 1, wait);
    const many = await rounds(`accepted and completed, ${CONNECTIONS} connections`, CONNECTIONS, wait);
    const acceptOne = await rounds("accept only, 1 connection", 1, acceptOnly);
    const acceptMany = await rounds(`accept only, ${CONNECTIONS} connections`, CONNECTIONS, acceptOnly);

    const ours = "ours, process";
    const [p50, perSecond] = [median(pick(one, ours, "p50")), median(pick(many, ours, "perSecond"))];
    const [acceptP50, acceptRate] = [median(pick(acceptOne, ours, "p50")), median(pick(acceptMany, ours, "perSecond"))];
    const theirs = restate && { p50: pick(one, NO_STEP, "p50"), perSecond: pick(many, NO_STEP, "perSecond") };
    // Round by round, since what disturbs the machine for a while disturbs both.
    const slower = theirs && ratio(pick(one, ours, "p50"), theirs.p50);
    const faster = theirs && ratio(pick(many, ours, "perSecond"), theirs.perSecond);
    return [
      {
        measure: "accept → result back, 1 connection, p50",
        ours: ms(p50),
        beside: theirs && slower ? `Restate, no step: ${ms(median(theirs.p50))} (${times(slower)})` : ABSENT,
        must: "≤ × 0.50",
        holds: slower === undefined ? undefined : slower <= 0.5,
      },
      {
        measure: `accepted and completed, ${CONNECTIONS} connections`,
        ours: `${perSecond}/s`,
        beside: theirs && faster ? `Restate, no step: ${median(theirs.perSecond)}/s (${times(faster)})` : ABSENT,
        must: "≥ × 2.00",
        holds: faster === undefined ? undefined : faster >= 2,
      },
      {
        measure: "accept only (202), 1 connection, p50",
        ours: ms(acceptP50),
        beside: restate ? `Restate /send: ${ms(median(pick(acceptOne, SEND, "p50")))}` : ABSENT,
        must: "≤ 1.50 ms",
        holds: acceptP50 <= 1_500,
      },
      {
        measure: `accept only (202), ${CONNECTIONS} connections`,
        ours: `${acceptRate}/s`,
        beside: restate ? `Restate /send: ${median(pick(acceptMany, SEND, "perSecond"))}/s` : ABSENT,
        must: "≥ 5000/s",
        holds: acceptRate >= 5_000,
      },
    ];
  } finally {
    for (const platform of served) await platform.stop();
  }
}

const ABSENT = "Restate is not installed";
const NO_STEP = "Restate echo";
const SEND = "Restate echo/send";

function peers(restate: Restate | undefined, handlers: readonly string[]): Subject[] {
  if (restate === undefined) return [];
  return handlers.map((handler) => {
    const send = handler.endsWith("/send");
    const run: Run = (connections) =>
      runLoad({
        port: restate.port,
        requests: [{ path: `/Echo/${handler}`, headers: {}, body: BODY }],
        connections,
        seconds: SECONDS,
        status: send ? 202 : 200,
      });
    return {
      name: `Restate ${handler}`,
      run: send ? run : answered(run),
      ...(send ? { drained: () => restate.drained() } : {}),
    };
  });
}

function answered(run: Run): Run {
  return async (connections) => {
    const result = await run(connections);
    if (result.sample !== OUTPUT) throw new Error(`Answered ${result.sample} where ${OUTPUT} belongs`);
    return result;
  };
}

async function rounds(title: string, connections: number, subjects: readonly Subject[]): Promise<Map<string, Round[]>> {
  const results = new Map<string, Round[]>(subjects.map(({ name }) => [name, []]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const { name, run, drained: drain } of subjects) {
      const result = await run(connections);
      const backlogMs = (await drain?.()) ?? 0;
      // The first round warms up and does not count.
      if (round >= 0) results.get(name)?.push({ ...result, backlogMs });
    }
  }
  console.log(`\n${title}, medians of ${ROUNDS} alternating runs of ${SECONDS} s`);
  console.log("| | p50 | p99 | per second | backlog gone after |\n|---|---|---|---|---|");
  for (const { name, drained: drain } of subjects) {
    const of = (field: "p50" | "p99" | "perSecond" | "backlogMs"): number => median(pick(results, name, field));
    const backlog = drain === undefined ? "–" : `${(of("backlogMs") / 1000).toFixed(1)} s`;
    console.log(`| ${name} | ${ms(of("p50"))} | ${ms(of("p99"))} | ${of("perSecond")} | ${backlog} |`);
  }
  return results;
}

function pick(
  results: ReadonlyMap<string, readonly Round[]>,
  name: string,
  field: "p50" | "p99" | "perSecond" | "backlogMs",
): number[] {
  return (results.get(name) ?? []).map((round) => round[field]);
}

function ratio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

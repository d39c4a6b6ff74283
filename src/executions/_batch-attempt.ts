/** An attempt at a batch: only items that have not succeeded are run, and what became of each is written down on the way. */
import { utf8Length } from "../core/hash.ts";
import { LIMITS } from "../core/limits.ts";
import { batchOutput, invokeBatch } from "../dispatch/batch.ts";
import type { RetryAdvice } from "../model/invocation.ts";
import type { ItemOutcome, Outcome } from "../model/outcome.ts";
import { endingOf, isHopeless } from "./_ending.ts";
import type { Run, RunnerPorts, RunnerShard } from "./_runner-ports.ts";
import type { Claim } from "./messages.ts";

/** How often what became of items is written down while others go on. */
const PROGRESS_MS = 250;
/** What became of an item is written down up to this; a larger one is run again, should the attempt not come to its end. */
const ITEM_CHARS = 400_000;

export async function runBatch(
  claim: Claim,
  call: Parameters<typeof invokeBatch>[0],
  shard: RunnerShard,
  ports: RunnerPorts,
): Promise<Run> {
  let fresh: Record<string, ItemOutcome> = {};
  let noted = Promise.resolve();
  let lastAt = ports.now();
  let chars = 0;
  // What is noted comes back whole with the next attempt's claim.
  let room = LIMITS.jsonBytes - JSON.stringify(claim.items ?? {}).length;
  const note = (): Promise<void> => {
    chars = 0;
    const items = JSON.stringify(fresh);
    fresh = {};
    lastAt = ports.now();
    return (noted = noted.then(async () => {
      // What cannot be written now is run again, should this attempt not come to its end.
      await shard.progress(claim.id, claim.attempt, items).catch(() => false);
    }));
  };
  const batch = await invokeBatch(call, ports, {
    ...(claim.items === undefined ? {} : { done: claim.items }),
    now: () => ports.now(),
    onDone: (place, outcome) => {
      if (outcome.ok || isHopeless(outcome)) {
        const size = JSON.stringify(outcome).length;
        if (size <= ITEM_CHARS && size <= room) {
          fresh[String(place)] = outcome;
          chars += size;
          room -= size;
        }
      }
      if (chars > ITEM_CHARS || ports.now() - lastAt > PROGRESS_MS) void note();
    },
  });
  const { outcomes, environment, passedOver, logs, failure } = batch;
  const ranAt = { environment, passedOver };
  const text = batchOutput(outcomes);
  const bytes = utf8Length(text);
  if (bytes > LIMITS.jsonBytes) {
    const detail = `Cannot answer for "${claim.operation}": the list of outcomes must be at most ${LIMITS.jsonBytes} bytes; it is ${bytes}`;
    const outcome: Outcome = { ok: false, error: { code: "output_too_large", detail }, retry: { kind: "never" }, logs };
    return { outcome, ...ranAt, ending: await endingOf(claim, outcome, ports) };
  }
  if (failure === undefined) {
    await noted;
    const outcome: Outcome = { ok: true, output: text, logs };
    return { outcome, ...ranAt, ending: await endingOf(claim, outcome, ports) };
  }
  await note();
  const failed = outcomes.filter((outcome) => !outcome.ok);
  const outcome: Outcome = { ok: false, error: failure, retry: adviceOf(failed), logs };
  const lost = failed.find(({ error }) => error.code === "executor_lost");
  if (lost !== undefined) return { outcome, ...ranAt, ending: { kind: "lost", error: lost.error } };
  const kept = await endingOf(claim, { ok: true, output: text, logs }, ports);
  if (kept.kind !== "succeeded") return { outcome, ...ranAt, ending: kept };
  // The list so far is the output for as long as there is no better one.
  return { outcome, ...ranAt, ending: { ...kept, kind: "failed", error: failure, retry: outcome.retry } };
}

/** Again, as long as one item may come to a better end; the longest wait that one of them asks for. */
function adviceOf(failed: readonly Extract<ItemOutcome, { ok: false }>[]): RetryAdvice {
  const again = failed.filter((outcome) => !isHopeless(outcome));
  if (again.length === 0) return { kind: "never" };
  const waits = again.flatMap(({ retry }) => (retry.kind === "after" ? [retry.after_ms] : []));
  return waits.length === 0 ? { kind: "may" } : { kind: "after", after_ms: Math.max(...waits) };
}

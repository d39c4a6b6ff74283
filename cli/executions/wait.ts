/**
 * Waiting for an execution's end: how far it is on stderr for a person who watches, its output on stdout, its failure
 * as opctl's own. Ctrl-C and a time limit end the waiting and never the execution, and say how to take it up again.
 */
import { setTimeout as pause } from "node:timers/promises";
import { ERRORS, SwitchyardError } from "../../src/core/errors.ts";
import { isFinal } from "../../src/model/execution-states.ts";
import type { Client } from "../client.ts";
import type { Context } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { executionRoute, readExecution } from "./api.ts";
import { followExecution } from "./follow.ts";
import { createPatience } from "./patience.ts";
import { renderLogLine, renderState } from "./lines.ts";

/** How long one request waits at the platform; the next one follows at once. Seconds. */
const ASK_S = 30;
/** At least this between two of them, should the platform not wait at all. */
const BETWEEN_MS = 250;

/** The value of `--wait [duration]`: true is as long as it takes. */
export type Wait = { limitMs?: number };

export function parseWait(value: string | true): Wait {
  if (value === true) return {};
  try {
    return { limitMs: parseDuration(value) };
  } catch (error) {
    throw new SwitchyardError("usage", error instanceof Error ? error.message : String(error), {
      hint: "Write --wait last, or with its duration: --wait=10s",
      cause: error,
    });
  }
}

/** What can be done with an execution that is left to itself, a line each. */
export function howToFollow(id: string): string {
  return [
    `opctl get execution ${id}    how it is`,
    `opctl logs ${id} --follow    what it writes, to its end`,
    `opctl cancel ${id}           stops it`,
  ].join("\n");
}

export async function printResult(
  context: Pick<Context, "client" | "output" | "exitWith">,
  id: string,
  wait: Wait,
): Promise<void> {
  const { client, output } = context;
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  const timer = wait.limitMs === undefined ? undefined : AbortSignal.timeout(wait.limitMs);
  const signal = timer === undefined ? interrupt.signal : AbortSignal.any([interrupt.signal, timer]);
  try {
    if (output.watched) await showProgress(context, id, signal);
    output.data(await readOutput(client, id, signal));
  } catch (error) {
    if (interrupt.signal.aborted) {
      output.say(`${output.watched ? "\n" : ""}The execution ${id} goes on.\n${howToFollow(id)}`);
      context.exitWith(130);
      return;
    }
    if (timer?.aborted === true) throw notEnded(id, wait.limitMs ?? 0);
    throw error;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

async function showProgress(
  { client, output }: Pick<Context, "client" | "output">,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  let shown = "";
  for await (const happening of followExecution(client, id, signal)) {
    if (happening.type === "log") output.progress(renderLogLine(happening.line));
    else {
      const state = renderState(happening.execution);
      if (state !== shown) output.progress(state);
      shown = state;
    }
  }
}

/** The output's JSON text as the platform has it. Throws the execution's error, with the id to look it up by. */
async function readOutput(client: Client, id: string, signal: AbortSignal): Promise<string> {
  const patience = createPatience(client);
  for (;;) {
    const earliestNext = Date.now() + BETWEEN_MS;
    try {
      const headers = { prefer: `wait=${ASK_S}` };
      return (await client.request("GET", `${executionRoute(id)}/output`, { headers, signal })).text;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SwitchyardError && error.code === "execution_unfinished") {
        patience.restore();
        await pause(Math.max(0, earliestNext - Date.now()), undefined, { signal });
        continue;
      }
      if (await isItsEnd(client, id, error)) throw withId(error, id);
      await pause(patience.afterFailure(error), undefined, { signal });
    }
  }
}

/** An execution can fail with the very code that a platform in trouble answers: only its record tells them apart. */
async function isItsEnd(client: Client, id: string, error: unknown): Promise<boolean> {
  if (!(error instanceof SwitchyardError) || error.code === "platform_unreachable") return false;
  try {
    return isFinal((await readExecution(client, id)).status);
  } catch {
    return false;
  }
}

function withId(error: unknown, id: string): unknown {
  if (!(error instanceof SwitchyardError)) return error;
  const next = `\`opctl get execution ${id}\` shows its attempts, \`opctl replay ${id}\` runs it again.`;
  return new SwitchyardError(error.code, error.message, {
    hint: `${error.hint ?? ERRORS[error.code].explain}\n${next}`,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    cause: error,
  });
}

function notEnded(id: string, limitMs: number): SwitchyardError {
  return new SwitchyardError(
    "timeout",
    `Cannot wait any longer for the execution ${id}: --wait was ${limitMs} ms; it has not ended`,
    { hint: `It goes on.\n${howToFollow(id)}` },
  );
}

/**
 * One execution as server-sent events (WHATWG HTML, 9.2): `state` with the record each time it changes, `log` with each
 * line, and a comment while nothing happens. An event's id is `<version>-<log seq>`: what was told up to and with it,
 * so that a client that comes back with it misses nothing and hears nothing twice.
 *
 * The reader pulls. While nobody reads nothing is asked for, and a reader that goes away ends it.
 */
import { toSwitchyardError } from "../core/errors.ts";
import { isFinal } from "../model/execution-states.ts";
import type { ExecutionLogLine, ExecutionView } from "../model/execution.ts";
import type { Executions, Watched } from "../executions/port.ts";

/** How long nothing may be sent: proxies cut what is silent for half a minute. */
const KEEP_ALIVE_MS = 20_000;

/** What was told already. Zeros: nothing. */
export type Position = { version: number; afterLog: number };

const encoder = new TextEncoder();

/** Ends after the final state; earlier, with a comment, when the execution cannot be watched any more. */
export function eventStream(
  executions: Pick<Executions, "watch">,
  id: string,
  from: Position,
): ReadableStream<Uint8Array> {
  let position: Position | undefined;
  let left = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (position === undefined) {
          position = from;
          return controller.enqueue(encoder.encode("retry: 1000\n\n"));
        }
        let watched: Watched | undefined;
        try {
          watched = await executions.watch(id, { ...position, waitMs: KEEP_ALIVE_MS });
        } catch (thrown) {
          // An answer has begun, so it is too late for a problem. The client comes back and is told then.
          if (!left) controller.enqueue(encoder.encode(`: interrupted by ${toSwitchyardError(thrown).code}\n\n`));
          watched = undefined;
        }
        if (left) return;
        if (watched === undefined) return controller.close();
        const told = tell(watched, position);
        position = told.position;
        if (told.text !== "" || !told.over) controller.enqueue(encoder.encode(told.text || ": keep-alive\n\n"));
        if (told.over) controller.close();
      },
      cancel() {
        left = true;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Pure: the events for what has come since `from`. */
function tell({ version, view, logs }: Watched, from: Position): { text: string; position: Position; over: boolean } {
  const afterLog = logs.at(-1)?.seq ?? from.afterLog;
  const final = isFinal(view.status);
  if (final && logs.length > 0) {
    // More lines than one answer takes may be there. The state waits for the answer without any: it is the last event.
    return { text: linesOf(logs, from.version), position: { version: from.version, afterLog }, over: false };
  }
  if (version <= from.version) {
    return { text: linesOf(logs, from.version), position: { version: from.version, afterLog }, over: final };
  }
  // Its lines follow a state that says running; any other state comes of what they tell.
  const text =
    view.status === "running"
      ? stateOf(view, { version, afterLog: from.afterLog }) + linesOf(logs, version)
      : linesOf(logs, from.version) + stateOf(view, { version, afterLog });
  return { text, position: { version, afterLog }, over: final };
}

function stateOf(view: ExecutionView, { version, afterLog }: Position): string {
  return `id: ${version}-${afterLog}\nevent: state\ndata: ${JSON.stringify(view)}\n\n`;
}

function linesOf(logs: readonly ExecutionLogLine[], version: number): string {
  return logs.map((line) => `id: ${version}-${line.seq}\nevent: log\ndata: ${JSON.stringify(line)}\n\n`).join("");
}

/** An execution's state and its log as lines for people. */
import type { ExecutionLogLine, ExecutionView } from "../../src/model/execution.ts";

/** `running, attempt 2`; `retrying, attempt 3 at 2026-11-22T12:00:07.250Z: Cannot …`. */
export function renderState(execution: ExecutionView): string {
  const { status, attempt, attempts, next_attempt_at: next } = execution;
  if (status === "retrying") {
    const why = attempts.at(-1)?.error?.detail ?? "it was lost";
    return `retrying, attempt ${attempt + 1}${next === null ? "" : ` at ${next}`}: ${why}`;
  }
  if (status === "queued") return next === null ? "queued" : `queued until ${next}`;
  return attempt > 1 || status === "running" ? `${status}, attempt ${attempt}` : status;
}

/** The attempt is shown from the second on or where the caller asks for it, the level where it is not the usual one. */
export function renderLogLine(line: ExecutionLogLine, options: { attempts?: boolean } = {}): string {
  const attempt = options.attempts === true || line.attempt > 1 ? `  #${line.attempt}` : "";
  const level = line.level === "info" ? "" : `  ${line.level}`;
  return `${timeOfDay(line.at)}${attempt}${level}  ${line.message.replaceAll("\n", "\n    ")}`;
}

/** In UTC, as every time that the platform says. */
function timeOfDay(time: string): string {
  return /T([0-9:.]+)/.exec(time)?.[1] ?? time;
}

/** `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function renderTook(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toString()} s`;
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1000],
  ] as const;
  const first = units.findIndex(([, size]) => ms >= size);
  let rest = ms;
  return units
    .slice(first, first + 2)
    .map(([unit, size]) => {
      const count = Math.floor(rest / size);
      rest %= size;
      return `${count} ${unit}`;
    })
    .filter((text, index) => index === 0 || !text.startsWith("0 "))
    .join(" ");
}

/** From the first start to the end; undefined while it has no end. */
export function tookMs({ started_at: started, finished_at: finished }: ExecutionView): number | undefined {
  return started === null || finished === null ? undefined : Date.parse(finished) - Date.parse(started);
}

/** Why requests to a service are refused, and commands. What it says is for whoever called, and for who mends it. */
import { SwitchyardError, toErrorData, type ErrorData } from "../core/errors.ts";
import { isLooping } from "./_crashes.ts";
import type { Head } from "./_kept.ts";

const LINES = 5;

/** undefined: it may be waited for. `isStarting`: a start is under way, which may succeed. */
export function refusalOf(
  head: Head,
  { isStarting, now }: { isStarting: boolean; now: number },
): ErrorData | undefined {
  const { settings, crashes } = head;
  const { row, problem } = settings;
  if (head.isGone) return noService(row.name);
  if (!row.active) {
    return dataOf(
      "service_inactive",
      `Cannot reach the service "${row.name}": it must be switched on; its row says active: false`,
      {
        hint: `opctl edit service ${row.name} -s active=true`,
      },
    );
  }
  if (problem !== null) {
    return dataOf(
      "service_unavailable",
      `Cannot reach the service "${row.name}": its environment must run it; ${problem}`,
      {
        hint: `opctl get service ${row.name}`,
      },
    );
  }
  if (!isLooping(crashes) || isStarting || now >= crashes.nextAt) return undefined;
  const afterMs = crashes.nextAt - now;
  const often = `${crashes.failures} starts in a row have failed`;
  const hint = `opctl get service ${row.name}`;
  if (crashes.error !== null) {
    const detail = `Cannot reach the service "${row.name}": one of its replicas must start; ${often}, the last with ${crashes.error.detail}`;
    return dataOf("service_unavailable", detail, { hint: crashes.error.hint ?? hint, afterMs });
  }
  const last = crashes.lines.slice(-LINES);
  const said = last.length === 0 ? "" : `. Its last lines: ${last.join(" | ")}`;
  const detail = `Cannot reach the service "${row.name}": one of its replicas must start; ${often}, the last because ${crashes.reason ?? "of an unknown reason"}${said}`;
  return dataOf("service_crash_looping", detail, { hint, afterMs });
}

export function noService(name: string): ErrorData {
  return dataOf(
    "entity_not_found",
    `Cannot reach the service "${name}": it must be registered; there is none of that name`,
    {
      hint: "opctl get services",
    },
  );
}

export function commandRefused(detail: string, hint: string): ErrorData {
  return dataOf("command_refused", detail, { hint });
}

function dataOf(
  code: ConstructorParameters<typeof SwitchyardError>[0],
  detail: string,
  extras: { hint: string; afterMs?: number },
): ErrorData {
  return toErrorData(new SwitchyardError(code, detail, extras));
}

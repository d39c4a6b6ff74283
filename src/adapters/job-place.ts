/** What places that run jobs of containers have in common: what a job is told, and what its end without a report means. */
import { SwitchyardError } from "../core/errors.ts";
import { traceVariables } from "../core/trace.ts";
import type { Outcome } from "../model/outcome.ts";
import {
  outcomeOfThrown,
  unstarted,
  type AdapterCall,
  type AdapterPorts,
  type EnvironmentCheck,
  type JobTicket,
} from "./adapter.ts";
import { ApiRefusal } from "./http/json-api.ts";
import type { JobState } from "./job.ts";

/** A longer input is fetched. */
const INPUT_CHARS = 4_000;

export type JobNames = { operation: string; environment: string; isModule: boolean };

export function jobVariables({ operation, meta, input }: AdapterCall, ticket: JobTicket) {
  const isContainer = operation.implementation.kind === "container";
  return [
    { name: "SWITCHYARD_JOB_URL", value: ticket.url },
    { name: "SWITCHYARD_JOB_TOKEN", value: ticket.token },
    ...(isContainer ? traceVariables(meta) : []),
    ...(isContainer && input.length <= INPUT_CHARS ? [{ name: "SWITCHYARD_INPUT", value: input }] : []),
  ];
}

export function unsuitableWork({ operation, environment }: AdapterCall, isHost: boolean): Outcome | undefined {
  const { kind } = operation.implementation;
  const what = `"${operation.name}" in "${environment.name}"`;
  if (kind === "container" || (kind === "module" && isHost)) return undefined;
  return kind === "module"
    ? unstarted(
        "environment_misconfigured",
        `Cannot run ${what}: modules need the host in the container; the row says host: false`,
      )
    : unstarted("no_environment", `Cannot run ${what}: it must be a module or a container; it is ${kind}`, {
        retry: { kind: "never" },
      });
}

/** A host exits without a report when it was killed or could not send it; what a container's exit means is its own. */
export function endedJob(names: JobNames, how: "not_started" | "exited" | "lost", because: string): JobState {
  const reason = because === "" ? "no reason is given" : because;
  const detail = `Cannot finish "${names.operation}" in "${names.environment}": its job must report its end; it did not: ${reason}`;
  if (how === "not_started") return { kind: "ended", outcome: unstarted("environment_misconfigured", detail) };
  const code = how === "exited" && !names.isModule ? "implementation_failed" : "executor_lost";
  return { kind: "ended", outcome: { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] } };
}

/** Of what was thrown before a job was opened. */
export function notBegun(thrown: unknown, name: string, place: string): Outcome {
  if (thrown instanceof ApiRefusal) return thrown.outcome;
  if (thrown instanceof SwitchyardError) return { ...outcomeOfThrown(thrown), unstarted: true } as Outcome;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return unstarted(
    "environment_unavailable",
    `Cannot reach ${place} for "${name}": it must answer; it did not: ${reason}`,
  );
}

/** Never throws. Whether a job may be started only starting one tells. */
export async function checkJob(
  ports: Pick<AdapterPorts, "platformUrl" | "now">,
  look: () => Promise<Pick<EnvironmentCheck, "missing" | "facts">>,
): Promise<EnvironmentCheck> {
  const missing =
    ports.platformUrl === undefined ? ["Jobs report to the platform: set PUBLIC_URL (opctl dev --public-url)"] : [];
  const begunAt = ports.now();
  try {
    const seen = await look();
    const latency = ports.now() - begunAt;
    const all = [...missing, ...seen.missing];
    return { reachable: true, allowed: null, latency_ms: latency, missing: all, facts: seen.facts };
  } catch (thrown) {
    const code = thrown instanceof ApiRefusal ? thrown.outcome.error.code : undefined;
    missing.push(thrown instanceof Error ? thrown.message : String(thrown));
    const reachable = code !== undefined && code !== "environment_unavailable";
    const allowed = code === "environment_refused" ? false : null;
    return { reachable, allowed, latency_ms: null, missing, facts: {} };
  }
}

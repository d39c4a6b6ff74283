/** What places that run services have in common: names of what they make there, reports, refusals, and waiting for one to be ready. */
import { fromErrorData, SwitchyardError } from "../core/errors.ts";
import { sha256 } from "../core/hash.ts";
import { lacking, type EnvironmentHandle } from "../model/environment.ts";
import type { Outcome } from "../model/outcome.ts";
import { sortOf, type ReplicaReport, type ReplicaSpec } from "../model/services.ts";
import type { AdapterPorts } from "./adapter.ts";
import type { StartOrder } from "./service-host.ts";

export type Clock = Pick<AdapterPorts, "now" | "sleep">;
type Container = { image: string; command: readonly string[] | null };

/** Of a container that is told none. */
const CONTAINER_PORT = 8_080;

/**
 * `sy-album-3f9c2a-8d1e0b7c4a`: a name that clouds take, the same for ever for the same replica. `prefix` is that of all replicas of
 * the service. The slug is for people; the hashes keep apart what it makes alike.
 */
export async function setNames(service: string, replica = ""): Promise<{ prefix: string; set: string }> {
  const slug = service
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 36)
    .replace(/-+$/, "");
  const prefix = `sy-${slug}-${(await sha256(service)).slice(0, 6)}`;
  return { prefix, set: `${prefix}-${(await sha256(`${service} ${replica}`)).slice(0, 10)}` };
}

export function portOf({ port }: Pick<ReplicaSpec, "port">): number {
  return port ?? CONTAINER_PORT;
}

/** Throws where such a place cannot run it, whatever is tried. */
export function containerOf({ service, spec }: StartOrder, { name, capabilities }: EnvironmentHandle): Container {
  const cannot = `Cannot run the service "${service}" in "${name}"`;
  const lack = lacking(capabilities, spec.requires);
  if (lack !== undefined) throw new SwitchyardError("environment_misconfigured", `${cannot}: ${lack}`);
  if (spec.run !== null && "container" in spec.run) return spec.run.container;
  const sort = sortOf(spec) ?? "nothing";
  throw new SwitchyardError("environment_misconfigured", `${cannot}: it must be a container; it is ${sort}`);
}

export function reportOf(
  of: Pick<ReplicaReport, "replica" | "service" | "status"> & Partial<ReplicaReport>,
): ReplicaReport {
  const isReady = of.status === "ready";
  return {
    revision: "",
    place: "",
    address: null,
    cpu: null,
    count: 1,
    ready: isReady ? 1 : 0,
    ended: null,
    lines: [],
    ...of,
  };
}

/** Of a set whose new revision does not come, while the one before serves on. Asked for again, it is waited for again. */
export function notRolled(
  { service }: StartOrder,
  { name, because }: { name: string; because: string },
): SwitchyardError {
  return new SwitchyardError(
    "environment_misconfigured",
    `Cannot bring the service "${service}" in "${name}" to its new revision: all of it must become ready; the revision before serves on: ${because}`,
  );
}

/** As an error that says whether asking again may do. `refusal` reads what the place itself has refused. */
export async function orRefused<T>(
  work: Promise<T>,
  { name, refusal }: { name: string; refusal: (thrown: unknown) => (Outcome & { ok: false }) | undefined },
): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof SwitchyardError) throw thrown;
    const refused = refusal(thrown);
    if (refused !== undefined) {
      const { retry } = refused;
      throw fromErrorData(retry.kind === "after" ? { ...refused.error, after_ms: retry.after_ms } : refused.error);
    }
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const detail = `Cannot reach "${name}": it must answer; it did not: ${reason}`;
    throw new SwitchyardError("environment_unavailable", detail, { cause: thrown });
  }
}

/** Looks again and again until there is an answer. undefined: the time is over. The last look is at its very end. */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  { withinMs, everyMs, clock }: { withinMs: number; everyMs: number; clock: Clock },
): Promise<T | undefined> {
  for (const until = clock.now() + withinMs; ;) {
    const found = await look();
    const left = until - clock.now();
    if (found !== undefined || left <= 0) return found;
    await clock.sleep(Math.min(everyMs, left));
  }
}

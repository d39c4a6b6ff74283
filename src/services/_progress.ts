/** How far a service is with what is wanted of it: what `opctl service … --wait` waits for. Pure. */
import type { ServiceProgressView } from "../registry/builtins/service-functions.ts";
import { isLooping } from "./_crashes.ts";
import type { Head, Replica } from "./_kept.ts";
import { revisionOf, wantedCount } from "./_wanted.ts";

export type Progress = Pick<ServiceProgressView, "revision" | "outdated" | "wanted" | "ready" | "settled" | "stuck">;

export function progressOf(head: Head, replicas: readonly Replica[]): Progress {
  const revision = revisionOf(head);
  const wanted = wantedCount(head);
  const serving = replicas.filter(({ phase }) => phase === "ready");
  const outdated = replicas.filter((replica) => replica.revision !== revision).length;
  const ready = serving.reduce((sum, replica) => sum + replica.ready, 0);
  const isAtIt = replicas.some(({ step }) => step !== null);
  // One that comes or goes is not what was wanted yet.
  const isQuiet = !isAtIt && serving.length === replicas.length;
  const settled = isQuiet && (wanted === 0 ? replicas.length === 0 : ready >= wanted);
  // What failed is remembered for a minute after it has come up, so that is asked last.
  const fails = isLooping(head.crashes) && !isAtIt && !(settled && outdated === 0);
  return { revision, outdated, wanted, ready, settled, stuck: head.settings.problem !== null || fails };
}

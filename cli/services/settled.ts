/** Whether what was wanted of a service has come about: what `--wait` waits for. Pure. */
import type { ServiceCommand, ServiceStatusView } from "./api.ts";
import { readyCount } from "./status-text.ts";

export type Wish = {
  command: ServiceCommand;
  /** Names of the replicas that there were before. */
  before: ReadonlySet<string>;
};

export type Settled =
  | { done: true }
  | { done: false; /** Nothing will come of it before somebody mends this. */ stuck?: string };

export function settledOf(status: ServiceStatusView, { command, before }: Wish): Settled {
  const { replicas, wanted, because, steps, problem, crashes } = status;
  if (problem !== null) return { done: false, stuck: problem };
  // A deployment leads to a state with replicas before it is answered: whoever finds none has come too late.
  if (command === "deploy" && wanted === 0) return { done: false, stuck: `it went cold again: ${because.join("; ")}` };
  if (steps.length > 0) return { done: false };
  const there = replicas.filter(({ phase }) => phase !== "ended");
  if (command === "undeploy") return there.length === 0 ? { done: true } : { done: false };
  // One that comes or goes is not what was wanted yet.
  const isQuiet = there.every(({ phase }) => phase === "ready");
  const isEnough = readyCount(replicas) >= wanted && (command !== "deploy" || wanted > 0);
  const isNew = command !== "restart" || there.every(({ replica }) => !before.has(replica));
  if (isQuiet && isEnough && isNew) return { done: true };
  // What failed is remembered for a minute after it has come up, so that is asked last.
  if (!crashes.looping) return { done: false };
  return { done: false, stuck: crashes.reason ?? `${crashes.failures} starts in a row have failed` };
}

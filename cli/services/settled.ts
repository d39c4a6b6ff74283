/** Whether what was wanted of a service has come about: what `--wait` waits for. Pure. */
import { isWhole, type ServiceCommand, type ServiceSeen } from "./api.ts";

export type Settled =
  | { done: true }
  | { done: false; /** Nothing will come of it before somebody mends this. */ stuck?: string };

const UNTOLD = "what stands in its way is for who may read the registry";

export function settledOf(seen: ServiceSeen, command: ServiceCommand): Settled {
  const { wanted, settled, stuck, outdated } = seen;
  const problem = isWhole(seen) ? seen.problem : null;
  if (problem !== null) return { done: false, stuck: problem };
  // A deployment leads to a state with replicas before it is answered: whoever finds none has come too late.
  if (command === "deploy" && wanted === 0) {
    return { done: false, stuck: `it went cold again${isWhole(seen) ? `: ${seen.because.join("; ")}` : ""}` };
  }
  const isSo = command === "undeploy" ? wanted === 0 : command !== "restart" || outdated === 0;
  if (settled && isSo && !stuck) return { done: true };
  return stuck ? { done: false, stuck: reasonOf(seen) } : { done: false };
}

function reasonOf(seen: ServiceSeen): string {
  if (!isWhole(seen)) return UNTOLD;
  return seen.crashes.reason ?? `${seen.crashes.failures} starts in a row have failed`;
}

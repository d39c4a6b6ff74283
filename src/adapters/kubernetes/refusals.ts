/** What an API server says instead of making a Job or a Deployment → an outcome. All of it is said before anything has run. */
import type { Outcome } from "../../model/outcome.ts";
import { unstarted } from "../adapter.ts";
import type { KubeRefusal } from "./kube-api.ts";

export function outcomeOfRefusal(refusal: KubeRefusal, name: string): Outcome & { ok: false } {
  const { status, reason, message, retryAfterMs } = refusal;
  const said = `Cannot use "${name}": the API server must accept what it is asked for; it says ${reason === "" ? status : reason}: ${message}`;
  if (status === 429 || (status === 403 && /exceeded quota/i.test(message))) {
    return unstarted("environment_throttled", said, {
      retry: retryAfterMs === undefined ? { kind: "may" } : { kind: "after", after_ms: retryAfterMs },
    });
  }
  const hint = `opctl environment check ${name}`;
  // Forbidden, but not for who asks.
  const isEnding = status === 403 && /because it is being terminated/.test(message);
  if ((status === 401 || status === 403) && !isEnding) return unstarted("environment_refused", said, { hint });
  return unstarted("environment_misconfigured", said, { hint });
}

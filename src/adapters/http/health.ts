/** Whether a service is well, by its own word: GET of its health's path answers 200 to 399; without a path any answer will do. */
import { HEALTH_DEFAULTS, type ReplicaSpec } from "../../model/services.ts";
import { fromErrorData } from "../../core/errors.ts";
import { urlUnder } from "../service-send.ts";
import type { Send } from "./exchange.ts";
import { sendAuthorized, type Authorize } from "./http-call.ts";
import { untilEnd } from "./until-end.ts";

const MAX_ANSWER_BYTES = 1024 * 1024;

/** undefined: it is well. Throws where credentials are refused: that a person must mend. */
export async function unwellness(
  address: string,
  of: { health: ReplicaSpec["health"] | undefined; send: Send; authorize?: Authorize | undefined; isTrusted?: boolean },
): Promise<string | undefined> {
  const { health = HEALTH_DEFAULTS, send, authorize, isTrusted = true } = of;
  const { path, timeout_ms: timeoutMs } = health;
  const url = urlUnder(address, path ?? "/");
  const way = { send, ...(authorize === undefined ? {} : { authorize }) };
  const came = await untilEnd(
    { timeoutMs },
    (signal) =>
      sendAuthorized(way, { url, method: "GET", headers: {}, signal, maxAnswerBytes: MAX_ANSWER_BYTES }, isTrusted),
    () => ({ kind: "not_sent", reason: `no answer within ${timeoutMs} ms` }) as const,
  );
  if (came.kind === "refused") throw fromErrorData(came.outcome.error);
  if (came.kind === "not_sent" || came.kind === "broken_off") return `${url}: ${came.reason}`;
  if (came.kind !== "answer" || path === null || (came.status >= 200 && came.status < 400)) return undefined;
  return `GET ${path} answers status ${came.status}`;
}

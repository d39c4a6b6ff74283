/** The one place where the artifact store's failures become ours. */
import { SwitchyardError } from "../../core/errors.ts";
import { within } from "../../core/within.ts";

/** One object or part is 8 MiB at most. miniflare's store never answers when its disk refuses a write. */
const ANSWER_MS = 15_000;

/** `doing` completes the sentence "Cannot …". Throws artifact_store_unavailable for whatever the store throws, and for silence. */
export async function askStore<T>(doing: string, call: () => Promise<T>, limitMs = ANSWER_MS): Promise<T> {
  let reason: unknown;
  try {
    const answer = await within(limitMs, call());
    if (answer !== undefined) return answer.value;
    reason = `no answer within ${limitMs} ms`;
  } catch (cause) {
    reason = cause;
  }
  const message = reason instanceof Error ? reason.message : String(reason);
  throw new SwitchyardError(
    "artifact_store_unavailable",
    `Cannot ${doing}: the artifact store must answer; it failed with ${message}`,
    { cause: reason },
  );
}

/** The one place where the artifact store's failures become ours. */
import { SwitchyardError } from "../../core/errors.ts";

/** `doing` completes the sentence "Cannot …". Throws artifact_store_unavailable for whatever the store throws. */
export async function askStore<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new SwitchyardError(
      "artifact_store_unavailable",
      `Cannot ${doing}: the artifact store must answer; it failed with ${message}`,
      { cause },
    );
  }
}

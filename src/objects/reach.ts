/** Objects as the rest of the platform reaches them. */
import { SwitchyardError } from "../core/errors.ts";

/** `what`: such as `the agent "counters"`. Throws state_unavailable where its object does not answer. */
export async function answered<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw new SwitchyardError(
      "state_unavailable",
      `Cannot reach ${what}: its object must answer; it failed with ${String(cause)}`,
      { cause },
    );
  }
}

/** Never throws: whoever could not be told finds out by itself, later. `who`: for the log. */
export async function told(who: string, tell: () => Promise<void>): Promise<void> {
  try {
    await tell();
  } catch (error) {
    console.error(JSON.stringify({ level: "warn", message: `${who}: a change could not be told: ${String(error)}` }));
  }
}

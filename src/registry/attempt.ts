/** Works a draft out and commits it; again from the start whenever another writer was faster. */
import { SwitchyardError } from "../core/errors.ts";
import type { Database } from "./database.ts";
import { fromDatabaseError, isClash } from "./database-error.ts";
import { Draft, type Change } from "./draft.ts";

/** How long a write keeps trying when others get in between. Milliseconds. */
const PATIENCE_MS = 10_000;

type Options = { database: Database; author: string; caller?: string | undefined; now: () => number };

export async function attempt<T>(
  { database, author, caller, now }: Options,
  workOut: (draft: Draft) => Promise<T>,
): Promise<{ result: T; changes: Change[]; registryRevision: number }> {
  // Real time, not the registry's clock: this is about waiting, not about what is stored.
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (let tries = 1; ; tries++) {
    try {
      const draft = await Draft.begin(database, { author, caller, at: new Date(now()).toISOString() });
      const result = await workOut(draft);
      const changes = await draft.commit();
      return { result, changes, registryRevision: draft.base + changes.length };
    } catch (error) {
      if (!isClash(error)) throw fromDatabaseError(error);
      if (Date.now() > giveUpAt) {
        throw new SwitchyardError(
          "write_conflict",
          `Cannot write to the registry: nobody else may write in between; others did, ${tries} times`,
        );
      }
      const ms = Math.random() * Math.min(100, 4 * 2 ** tries);
      await new Promise((resolve) => {
        setTimeout(resolve, ms);
      });
    }
  }
}

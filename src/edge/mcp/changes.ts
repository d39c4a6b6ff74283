/**
 * Tells when a token's tools change. Looks at the registry's counter, which costs nothing while it stands still, and asks
 * which tools there are only when it has moved. Ends when the token does.
 */
import { ERRORS, toSwitchyardError } from "../../core/errors.ts";
import type { Registry } from "../../registry/registry.ts";
import { selectionOf, type View } from "./view.ts";

/** How often it looks; a change is told so much later at most, and as much as the caches may be old. */
const LOOK_MS = 2_000;
/** What it says meanwhile, every so many looks: proxies cut what is silent for half a minute. */
const LOOKS_A_SIGN = 8;

export type Changes = {
  registry: Pick<Registry, "known" | "principalById" | "fingerprint">;
  principalId: string;
  view: View;
  sleep: (ms: number) => Promise<unknown>;
};

/** true: they changed. false: nothing did for a while. */
export async function* toolChanges({ registry, principalId, view, sleep }: Changes): AsyncGenerator<boolean, void> {
  let seen: { revision: number; tools: string } | undefined;
  for (let look = 0; ; look++) {
    let changed = false;
    try {
      const principal = await registry.principalById(principalId);
      const revision = await registry.known();
      if (revision !== seen?.revision) {
        const selection = selectionOf(view, principal);
        const tools = JSON.stringify([selection, await registry.fingerprint(selection)]);
        changed = seen !== undefined && seen.tools !== tools;
        seen = { revision, tools };
      }
    } catch (thrown) {
      // The registry is away: what is known stays as it is.
      if (ERRORS[toSwitchyardError(thrown).code].status === 401) return;
    }
    if (changed) yield true;
    else if (look > 0 && look % LOOKS_A_SIGN === 0) yield false;
    await sleep(LOOK_MS);
  }
}

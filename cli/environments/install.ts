/** Finds the installer for an environment's adapter and lets it work. */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Context } from "../command.ts";
import { readEntry, type JsonObject } from "../registry.ts";
import { BY_HAND, BY_HAND_ELSE, INSTALLERS, type InstallWords } from "./installer.ts";

export async function installEnvironment(context: Context, name: string, words: InstallWords): Promise<void> {
  const { entry } = await readEntry(context.client, "environment", name);
  const adapter = String(entry["adapter"]);
  const load = Object.hasOwn(INSTALLERS, adapter) ? INSTALLERS[adapter] : undefined;
  if (load === undefined) {
    const byHand = (Object.hasOwn(BY_HAND, adapter) ? BY_HAND[adapter] : undefined) ?? BY_HAND_ELSE;
    throw new SwitchyardError(
      "usage",
      `Cannot install the host in "${name}": its adapter must be one of ${Object.keys(INSTALLERS).join(", ")}; it is ${adapter}`,
      { hint: byHand.replace("NAME", name) },
    );
  }
  const { installer } = await load();
  await installer.install({ name, config: (entry["config"] ?? {}) as JsonObject }, words, context);
}

/**
 * What installs the host in a sort of environment, and what is said where nothing does. It runs on the user's machine with
 * the user's credentials of the cloud: docs/decisions/016.
 */
import type { Context } from "../command.ts";
import type { JsonObject } from "../registry.ts";

/** The options as they were typed. */
export type InstallWords = {
  dryRun?: boolean;
  role?: string;
  memoryMb?: string;
  timeoutS?: string;
  architecture?: "arm64" | "x86_64";
};

export type Installer = {
  /** Throws for what it cannot do; a second run finds nothing to do. */
  install(environment: { name: string; config: JsonObject }, words: InstallWords, context: Context): Promise<void>;
};

/** Loaded only when one is wanted: the SDKs are large. */
export const INSTALLERS: Readonly<Record<string, () => Promise<{ installer: Installer }>>> = {
  lambda: () => import("./installers/lambda.ts"),
};

/** What to do by hand where there is no installer, as a sentence. */
export const BY_HAND: Readonly<Record<string, string>> = {
  inline: "It comes with the platform: there is nothing to install.",
  runner: "Start a runner on the machine: opctl runner start --environment NAME. See docs/runners.md.",
};
export const BY_HAND_ELSE = "Put the host there yourself: docs/adapters/README.md says how.";

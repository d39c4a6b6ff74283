/** What a host that stands by itself is told by its environment. The doors of clouds have nothing else to be told by. */
import os from "node:os";
import { SwitchyardError } from "../core/errors.ts";
import { denoBinary } from "./_commands.node.ts";
import { parseAllow } from "./allow.ts";
import type { HostOptions } from "./core.node.ts";

/** `runtime` where SWITCHYARD_HOST_RUNTIME says nothing; "any": Deno where it is there, else Node. */
export function hostSettings(env: NodeJS.ProcessEnv, defaults: { runtime: "deno" | "any" }): Omit<HostOptions, "log"> {
  const { SWITCHYARD_HOST_ALLOW: allow = "module", SWITCHYARD_HOST_SLOTS: slots } = env;
  return {
    runtime: runtimeOf(env["SWITCHYARD_HOST_RUNTIME"] ?? defaults.runtime),
    allow: parseAllow(allow.split(/[\s,]+/).filter((word) => word !== "")),
    slots: slots === undefined ? Math.max(1, os.availableParallelism()) : slotsOf(slots),
  };
}

/** Refuses at the start what would fail at each call, and never runs code unconfined because Deno is missing. */
function runtimeOf(word: string): "deno" | "node" {
  if (word === "node") return word;
  if (word === "any") return hasDeno() ? "deno" : "node";
  if (word !== "deno") {
    throw new SwitchyardError(
      "usage",
      `Cannot run modules on "${word}": SWITCHYARD_HOST_RUNTIME must be deno or node; it is neither`,
    );
  }
  denoBinary();
  return word;
}

function hasDeno(): boolean {
  try {
    denoBinary();
    return true;
  } catch {
    return false;
  }
}

function slotsOf(text: string): number {
  const slots = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (slots >= 1 && slots <= 256) return slots;
  throw new SwitchyardError(
    "usage",
    `Cannot run "${text}" calls at once: SWITCHYARD_HOST_SLOTS must be a whole number from 1 to 256; it is not`,
  );
}

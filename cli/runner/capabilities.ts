/** What a runner says that its machine has: what can be seen, then the words of --capability. */
import os from "node:os";
import * as v from "valibot";
import { SwitchyardError } from "../../src/core/errors.ts";
import { CapabilitiesSchema } from "../../src/model/implementations.ts";
import type { Capabilities, Capability } from "../../src/model/environment.ts";

export function capabilitiesOf(words: readonly string[]): Capabilities {
  const all: Record<string, Capability> = {
    arch: os.arch(),
    os: os.platform(),
    memory_mb: Math.floor(os.totalmem() / 1024 / 1024),
  };
  for (const word of words) {
    const at = word.indexOf("=");
    const name = at === -1 ? word : word.slice(0, at);
    const parsed = v.safeParse(CapabilitiesSchema, { [name]: at === -1 ? true : valueOf(word.slice(at + 1)) });
    if (!parsed.success) {
      throw new SwitchyardError(
        "usage",
        `Cannot declare the capability "${word}": it must be name=value, the name in lower case; ${parsed.issues[0].message}`,
        { hint: "opctl runner start --environment rack-1 --capability gpu=true --capability zone=cellar" },
      );
    }
    Object.assign(all, parsed.output);
  }
  return all;
}

function valueOf(text: string): Capability {
  if (text === "true" || text === "false") return text === "true";
  return /^-?[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : text;
}

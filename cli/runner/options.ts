/** The options that say what a runner is, read and checked: the same for starting and for installing one. */
import net from "node:net";
import os from "node:os";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Capabilities } from "../../src/model/environment.ts";
import { parseAllow, type Allow } from "../../src/host/allow.ts";
import { machineAddressOf } from "../../src/model/destination.ts";
import { NAME_PATTERN } from "../../src/model/names.ts";
import { capabilitiesOf } from "./capabilities.ts";

export type RunnerWords = {
  environment: string;
  name?: string;
  slots?: string;
  capability?: string[];
  allow?: string[];
  runtime?: string;
  serviceHost?: string;
};

export type RunnerSettings = {
  environment: string;
  name: string;
  slots: number;
  capabilities: Capabilities;
  allowWords: readonly string[];
  allow: Allow;
  /** Sorts of work that the allow-list has anything of. */
  runs: string[];
  runtime: "deno" | "node";
  /** Services listen there, and are reached there from elsewhere; undefined: on 127.0.0.1, through the runner alone. */
  serviceHost: string | undefined;
};

export function readRunnerWords(words: RunnerWords): RunnerSettings {
  const { environment, runtime = "deno" } = words;
  if (!NAME_PATTERN.test(environment)) {
    throw new SwitchyardError("usage", `Cannot run for "${environment}": it must be an environment's name`);
  }
  if (runtime !== "deno" && runtime !== "node") {
    throw new SwitchyardError("usage", `Cannot run modules on "${runtime}": --runtime is deno or node`);
  }
  const name =
    words.name ??
    os
      .hostname()
      .replaceAll(/[^A-Za-z0-9_.-]/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 64);
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) {
    throw new SwitchyardError(
      "usage",
      `Cannot call a runner "${name}": --name must be at most 64 letters, digits, dots, underscores or dashes`,
    );
  }
  const slotsText = words.slots ?? String(Math.max(1, os.availableParallelism()));
  const slots = /^[0-9]{1,3}$/.test(slotsText) ? Number(slotsText) : 0;
  if (slots < 1 || slots > 256) {
    throw new SwitchyardError(
      "usage",
      `Cannot have "${slotsText}" slots: --slots must be a whole number from 1 to 256`,
    );
  }
  const allowWords = words.allow ?? ["module"];
  const allow = parseAllow(allowWords);
  return {
    environment,
    name,
    slots,
    capabilities: capabilitiesOf(words.capability ?? []),
    allowWords,
    allow,
    runs: [
      ...(allow.module ? ["module"] : []),
      ...(allow.python ? ["python"] : []),
      ...(allow.processes.length > 0 ? ["process"] : []),
      ...(allow.containers.length > 0 ? ["container"] : []),
      ...(allow.http.length > 0 ? ["http"] : []),
      ...(allow.processes.length > 0 || allow.containers.length > 0 ? ["replica"] : []),
    ],
    runtime,
    serviceHost: serviceHostOf(words.serviceHost),
  };
}

/** An address that is one of this machine's and not all of them: what others are told must lead here. */
function serviceHostOf(word: string | undefined): string | undefined {
  if (word === undefined) return undefined;
  const own = Object.values(os.networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  const address = `http://${net.isIPv6(word) ? `[${word}]` : word}:80`;
  if (own.includes(word) && machineAddressOf(address) !== undefined) return word;
  throw new SwitchyardError(
    "usage",
    `Cannot have services listen on "${word}": --service-host must be an address of this machine; it is none`,
    { hint: `It has ${own.join(", ")}` },
  );
}

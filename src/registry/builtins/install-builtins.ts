/** The platform written in itself: every function as an operation, and the environment that needs nothing. */
import { READY_MADE } from "../../machines/ready-made.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Manifest } from "../../model/entities.ts";
import type { Change } from "../draft.ts";
import type { Installable } from "../install.ts";
import type { Registry } from "../registry.ts";
import { annotationsOf } from "./annotations.ts";
import { BUILTINS } from "./definitions.ts";

/** What is started may take its time; and who is asked how it is every few seconds fills no list of executions. */
const SETTINGS: Readonly<Record<string, Partial<Manifest["operation"]>>> = {
  start_replica: { timeout_ms: LIMITS.syncTimeoutMaxMs },
  stop_replica: { timeout_ms: LIMITS.syncTimeoutMaxMs },
  probe_replicas: { record: "errors" },
};

/** Idempotent. An operation that somebody edited or deleted stays as they left it. */
export function installBuiltins(registry: Registry): Promise<Change[]> {
  const operations = Object.values(BUILTINS).map(({ name, verb, description, input, output }): Installable => ({
    kind: "operation",
    manifest: {
      name,
      description,
      group: "registry",
      implemented_at: `builtin:${name}`,
      is_async: verb === "chain" || verb === "delivery",
      input_type: input.schema,
      output_type: output.schema,
      annotations: annotationsOf(name),
      ...SETTINGS[name],
    },
  }));
  const inline: Installable = {
    kind: "environment",
    manifest: { name: "inline", description: "A sandboxed isolate beside the platform.", adapter: "inline" },
  };
  // What a requirement asks is an operation that is there, so they come last.
  const machines = READY_MADE.map((manifest): Installable => ({
    kind: "state_machine",
    manifest,
  }));
  return registry.install([inline, ...operations, ...machines]);
}

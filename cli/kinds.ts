/**
 * The kinds of registry entries as opctl's commands speak of them. A copy of `KINDS` in src/model/entities.ts without
 * its schemas, because loading those costs every command more time than it has; `kinds.test.ts` holds the two equal.
 */
import { didYouMean } from "../src/core/did-you-mean.ts";
import { SwitchyardError } from "../src/core/errors.ts";
import type { Kind, Manifest } from "../src/model/entities.ts";

type KindWords<K extends Kind> = {
  readonly plural: string;
  /** Fields that are plain text, or an expression: `-s field=value` takes the value as it stands, even if it looks like JSON. */
  readonly text: readonly (keyof Manifest[K])[];
  /** What `opctl get` shows when no -a says otherwise. */
  readonly columns: readonly string[];
};

export const KIND_WORDS: { readonly [K in Kind]: KindWords<K> } = {
  operation: {
    plural: "operations",
    text: ["name", "description", "group", "record"],
    columns: ["name", "revision", "group", "active", "implemented_at", "input_type", "output_type"],
  },
  type: { plural: "types", text: ["name", "description"], columns: ["name", "revision", "description"] },
  module: {
    plural: "modules",
    text: ["name", "description", "language", "sha256"],
    columns: ["name", "revision", "sha256", "description"],
  },
  environment: {
    plural: "environments",
    text: ["name", "description", "adapter"],
    columns: ["name", "revision", "adapter", "active"],
  },
  token: {
    plural: "tokens",
    text: ["name", "description"],
    columns: ["name", "active", "scopes", "expires_at", "last_used_at"],
  },
  secret: {
    plural: "secrets",
    text: ["name", "description", "value"],
    columns: ["name", "revision", "groups", "description"],
  },
  webhook: {
    plural: "webhooks",
    text: ["name", "description", "operation", "scheme", "mapping", "response", "dedupe"],
    columns: ["name", "revision", "active", "scheme", "operation", "response"],
  },
  schedule: {
    plural: "schedules",
    text: ["name", "description", "operation", "time_zone", "overlap", "catch_up"],
    columns: ["name", "active", "cron", "time_zone", "every_ms", "operation", "next_due", "last_due", "last_status"],
  },
  subscription: {
    plural: "subscriptions",
    text: ["name", "description", "network", "mapping"],
    columns: ["name", "revision", "active", "operations", "on", "url", "operation"],
  },
  job: {
    plural: "jobs",
    text: ["name", "description", "path", "change", "order"],
    columns: ["name", "revision", "path", "change", "operation", "description"],
  },
  agent: {
    plural: "agents",
    text: ["name", "description"],
    columns: ["name", "revision", "active", "phase", "plan", "jobs", "description"],
  },
  state_machine: {
    plural: "state_machines",
    text: ["name", "description", "initial"],
    columns: ["name", "revision", "initial", "description"],
  },
  service: {
    plural: "services",
    text: ["name", "description", "group", "environment", "state_machine"],
    columns: ["name", "active", "environment", "state_machine", "state", "ready", "since", "problem"],
  },
  exposure: {
    plural: "exposures",
    text: ["name", "description", "service", "protocol", "base_path", "via"],
    columns: ["name", "revision", "active", "service", "protocol", "via"],
  },
};

export const KIND_NAMES = Object.keys(KIND_WORDS) as Kind[];

/** Every word that is taken for a kind, as a shell offers it: what has two words is written with a dash. */
export const KIND_SPELLINGS: readonly string[] = [
  ...KIND_NAMES,
  ...KIND_NAMES.map((kind) => KIND_WORDS[kind].plural),
].map((word) => word.replaceAll("_", "-"));

/** `operation` or `operations` → the kind. Anything else is a usage error that names the nearest. */
export function parseKind(word: string): Kind {
  const lower = word.toLowerCase().replaceAll("-", "_");
  const found = KIND_NAMES.find((kind) => kind === lower || KIND_WORDS[kind].plural === lower);
  if (found !== undefined) return found;
  const near = didYouMean(
    lower,
    KIND_NAMES.flatMap((kind) => [kind, KIND_WORDS[kind].plural]),
  );
  throw new SwitchyardError("usage", `Cannot read the kind "${word}": it must be one of ${KIND_NAMES.join(", ")}`, {
    hint: near === undefined ? "Singular and plural both work." : `Did you mean "${near}"?`,
  });
}

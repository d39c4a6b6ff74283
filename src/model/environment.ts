/** Places that run work: what a row says of one, what its adapter says of itself, and whether the two suit an operation. */
import * as v from "valibot";
import type { Environment } from "./entities.ts";
import type { Implementation } from "./resolved.ts";
import type { ServiceSort } from "./services.ts";

export type Capability = string | number | boolean;
/** What a place has, or what an operation needs: `{gpu: true, memory_mb: 2048, arch: "arm64"}`. */
export type Capabilities = Readonly<Record<string, Capability>>;

/** Why the capabilities do not do, as a sentence's end; undefined when they do. A number asked for is the least that is enough. */
export function lacking(capabilities: Capabilities, requires: Capabilities): string | undefined {
  for (const [name, wanted] of Object.entries(requires)) {
    const has = Object.hasOwn(capabilities, name) ? capabilities[name] : undefined;
    const enough = typeof wanted === "number" ? typeof has === "number" && has >= wanted : has === wanted;
    if (!enough) return `it needs ${name}=${String(wanted)}; it has ${has === undefined ? "none" : String(has)}`;
  }
  return undefined;
}

/** Sorts of implementation, as adapters say which they run. `module` is JavaScript, `python` a module in Python. */
export type Runnable = Exclude<Implementation["kind"], "builtin"> | "python";

export function runnableOf(implementation: Implementation): Runnable | "builtin" {
  return implementation.kind === "module" && implementation.language === "python" ? "python" : implementation.kind;
}

/** What an adapter says of itself; the registry refuses a row that does not fit it. */
export type AdapterDescription = {
  /** What rows call it by. */
  readonly name: string;
  readonly summary: string;
  /** Its configuration. A strict object: what it does not know is refused, never stored and ignored. */
  readonly config: v.GenericSchema<unknown, Record<string, unknown>>;
  /** Secrets that it takes, by its own names for them. */
  readonly secrets: Readonly<Record<string, { required: boolean; summary: string }>>;
  readonly runs: readonly Runnable[];
  /** Its members declare capabilities of their own, so that whether one suits is known only when work is handed out. */
  readonly hasMembers?: boolean;
  /** What it keeps running as a service, if anything; an `address` is one that runs already, to which it has a way. */
  readonly services?: { readonly runs: readonly ServiceSort[] };
};

/** One environment's row, as dispatch and adapters use it. `digest` changes with anything in it. */
export type EnvironmentHandle = Environment & {
  readonly digest: string;
  /** The secrets that the row names, opened: the adapter's word → value. Throws secret_unavailable. */
  openSecrets(): Promise<Readonly<Record<string, string>>>;
};

/** The adapter of the environment that comes with the platform. */
export const INLINE_ADAPTER = {
  name: "inline",
  summary: "an isolate beside the platform, at the edge",
  config: v.strictObject({}),
  secrets: {},
  runs: ["module"],
} as const satisfies AdapterDescription;

/** What an operation's revision holds beside its manifest: all that is needed to run it, with no other row read. */
import type { CodeType, ModuleLanguage, Operation } from "../../model/entities.ts";
import type { Implementation } from "../../model/resolved.ts";
import type { Use } from "../draft.ts";
import { usesOfPath } from "./operation-path.ts";
import type { ClosedType } from "../close.ts";

/** A type in force: its name if it has one, itself, and the named types that went into it. */
export type Side = { name: string | null; closed: ClosedType; uses: Use[] };

export type OperationResolved = {
  implementation:
    /** A revision from before there were languages is in JavaScript. */
    | { kind: "module"; module: string; sha256: string; export: string; language?: ModuleLanguage }
    | Exclude<Implementation, { kind: "module" | "builtin" }>
    | { kind: "builtin"; function: string };
  /** The types that the code says, for when the manifest leaves them to it. */
  code: { input: CodeType; output: CodeType };
  input: Side;
  output: Side;
};

export const INLINE = "inline";

/** Names in order of preference; null: any that has what is required. */
export function environmentsOf({ environment, requires }: Operation): string[] | null {
  if (environment !== null) return typeof environment === "string" ? [environment] : environment;
  return Object.keys(requires).length === 0 ? [INLINE] : null;
}

/** As dispatch knows it: what runs, without the name that it was stored under. */
export function implementationOf({ implementation }: OperationResolved): Implementation {
  if (implementation.kind !== "module") return implementation;
  const { kind, sha256, export: exported, language = "javascript" } = implementation;
  return { kind, sha256, export: exported, language };
}

export function usesOf(manifest: Operation, resolved: OperationResolved): Use[] {
  const { implementation, input, output } = resolved;
  const { kind } = implementation;
  const isElsewhere = kind === "service" || (kind === "builtin" && manifest.environment === null);
  const environments = isElsewhere ? [] : (environmentsOf(manifest) ?? []);
  return [
    ...(implementation.kind === "module"
      ? [{ kind: "module", name: implementation.module, written: true } as const]
      : []),
    ...(implementation.kind === "service"
      ? [{ kind: "exposure", name: implementation.exposure, written: true } as const]
      : []),
    ...environments.map((name): Use => ({ kind: "environment", name, written: true })),
    ...manifest.secrets.map((name): Use => ({ kind: "secret", name, written: true })),
    ...input.uses,
    ...output.uses,
    ...usesOfPath(manifest),
  ];
}

/** What an operation's revision holds beside its manifest: all that is needed to run it, with no other row read. */
import type { CodeType, Operation } from "../../model/entities.ts";
import type { Use } from "../draft.ts";
import type { ClosedType } from "../close.ts";

/** A type in force: its name if it has one, itself, and the named types that went into it. */
export type Side = { name: string | null; closed: ClosedType; uses: Use[] };

export type OperationResolved = {
  implementation:
    | { kind: "module"; module: string; sha256: string; export: string }
    | { kind: "builtin"; function: string };
  /** The types that the code says, for when the manifest leaves them to it. */
  code: { input: CodeType; output: CodeType };
  input: Side;
  output: Side;
};

export const INLINE = "inline";

export function environmentsOf({ environment }: Operation): string[] {
  return environment === null ? [INLINE] : typeof environment === "string" ? [environment] : environment;
}

export function usesOf(manifest: Operation, resolved: OperationResolved): Use[] {
  const { implementation, input, output } = resolved;
  const environments =
    implementation.kind === "builtin" && manifest.environment === null ? [] : environmentsOf(manifest);
  return [
    ...(implementation.kind === "module"
      ? [{ kind: "module", name: implementation.module, written: true } as const]
      : []),
    ...environments.map((name): Use => ({ kind: "environment", name, written: true })),
    ...manifest.secrets.map((name): Use => ({ kind: "secret", name, written: true })),
    ...input.uses,
    ...output.uses,
  ];
}

/** An operation as the registry resolves it, for tests: whatever they do not say of it is as plain as it can be. */
import { DEFAULT_RETRY } from "./entities.ts";
import type { CompiledType, ResolvedOperation } from "./resolved.ts";

const anything: CompiledType = {
  schema: true,
  any: true,
  check: (value) => ({ ok: true, value, changed: false }),
};

export function operationOf(name: string, changes: Partial<ResolvedOperation> = {}): ResolvedOperation {
  return {
    name,
    revision: 3,
    digest: "d",
    group: "demo",
    secretsGroup: "demo",
    active: true,
    timeoutMs: 1_000,
    attemptTimeoutMs: 60_000,
    isAsync: false,
    batch: false,
    retry: DEFAULT_RETRY,
    concurrency: null,
    rateLimit: null,
    record: "all",
    retentionMs: 60_000,
    implementation: { kind: "module", sha256: "a".repeat(64), export: name, language: "javascript" },
    input: anything,
    output: anything,
    environments: ["inline"],
    requires: {},
    network: [],
    secrets: [],
    ...changes,
  };
}

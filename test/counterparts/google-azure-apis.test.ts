/** What our jobs send against shapes we did not write: Google's own protos of Cloud Run. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";

const require = createRequire(import.meta.url);
const PROTOS = new URL("node_modules/@google-cloud/run/build/protos/protos.json", import.meta.url).pathname;
const isThere = existsSync(PROTOS);
if (!isThere) {
  if (process.env["CI"] !== undefined) throw new Error("@google-cloud/run must be installed in test/counterparts");
  console.warn("SKIPPED: @google-cloud/run is not in test/counterparts, so gcp-job meets no shapes but our own");
}

type Type = { fields: Record<string, { type: string; resolve(): { resolvedType: unknown } }> };
type Protobuf = { Root: { fromJSON(json: unknown): { lookupType(name: string): Type } } };

/** The names in a body that its message does not have. */
function unknown(type: Type, body: Record<string, unknown>): string[] {
  return Object.entries(body).flatMap(([name, value]) => {
    const field = type.fields[name];
    if (field === undefined) return [name];
    const inner = field.resolve().resolvedType as Type | null;
    if (inner?.fields === undefined || field.type.endsWith("Duration")) return [];
    return [value].flat().flatMap((each) => unknown(inner, each as Record<string, unknown>));
  });
}

describe.skipIf(!isThere)("what gcp-job sends", () => {
  it("has no field that google.cloud.run.v2.RunJobRequest does not have", () => {
    const { Root } = require("protobufjs") as Protobuf;
    const type = Root.fromJSON(require(PROTOS)).lookupType("google.cloud.run.v2.RunJobRequest");
    const override = { name: "main", args: ["--fast"], env: [{ name: "SWITCHYARD_JOB_URL", value: "u" }] };
    expect(unknown(type, { overrides: { containerOverrides: [override], taskCount: 1, timeout: "140s" } })).toEqual([]);
    expect(unknown(type, { overrides: { containerOverrides: [{ image: "x" }] } })).toEqual(["image"]);
  });
});

import { expect, test } from "vitest";
import { exampleCall } from "./example-call.ts";

test.for([
  ["no type", true, "opctl call f"],
  ["nothing required", { type: "object", properties: { a: { type: "string" } } }, "opctl call f"],
  [
    "members of each sort",
    {
      type: "object",
      properties: {
        s: { type: "string" },
        n: { type: "integer" },
        l: { type: "array" },
        e: { enum: ["red", "blue"] },
        c: { const: true },
        r: { $ref: "#/$defs/X" },
      },
      required: ["s", "n", "l", "e", "c", "r"],
    },
    "opctl call f s=hi n=1 l='[]' e=red c=true r=…",
  ],
  ["no object", { type: "string" }, "opctl call f --input '…'"],
] as const)("exampleCall() fills in %s", ([, schema, line]) => {
  expect(exampleCall("f", schema)).toBe(line);
});

/** Heads that are known at a glance are those that their schemas let through, and no others. */
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { FromRunnerSchema, ToRunnerSchema, unpackParcels } from "./runner-protocol.ts";

const job = { fence: "k3v-_.1", execution: "ex_1", attempt: 1, item: null };
const run = { ...job, type: "run" };
const HEADS: unknown[] = [
  { type: "result", fence: "a.0" },
  { type: "result", fence: "a.0", size: 0 },
  { type: "result", fence: "a.0", size: -1 },
  { type: "result", fence: "a.0", size: "0" },
  { type: "result", fence: "a.0", size: 0.5 },
  { type: "result", fence: "no fence" },
  { type: "result" },
  { type: "drain" },
  { type: "ack", fence: "a.0" },
  { type: "ack", fence: 1 },
  { type: "cancel", fence: "a.0" },
  run,
  { ...run, item: 0, beside: true, size: 0 },
  { ...run, item: undefined },
  { ...run, item: -1 },
  { ...run, beside: false },
  { ...run, attempt: 1.5 },
  { ...run, execution: "x".repeat(129) },
  { ...run, fence: `${"x".repeat(33)}.1` },
  { ...run, size: null },
  { ...run, type: "hello" },
  "result",
  null,
  [],
];

describe.each([
  ["from", FromRunnerSchema],
  ["to", ToRunnerSchema],
] as const)("%s a runner", (_way, schema) => {
  test.each(HEADS.map((head) => [JSON.stringify(head), head]))("%s", (text, head) => {
    const wanted = v.safeParse(schema, JSON.parse(text ?? "") as unknown);
    const unpack = () => unpackParcels(`[${text}]\n`, schema as never);
    if (wanted.success) expect(unpack()).toEqual([{ head: JSON.parse(JSON.stringify(head)) as unknown, body: "" }]);
    else expect(unpack).toThrow();
  });
});

/** The manifests in examples/subscriptions: each is a row that the registry takes, whose mapping makes something of an event. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { compileExpression } from "../../src/expressions/index.ts";
import { destinationFault } from "../../src/model/destination.ts";
import { SubscriptionSchema } from "../../src/model/triggers.ts";

const FOLDER = path.join(import.meta.dirname, "../../examples/subscriptions");

const MAPPED: Record<string, unknown> = {
  "chat-message.yaml": { text: "echo is dead after 4 attempts: Cannot run it: it threw" },
  "next-operation.yaml": { output_str: "hi" },
  "cloud-event.yaml": expect.objectContaining({
    specversion: "1.0",
    id: "evt_1",
    source: "/switchyard/operations/echo",
    type: "dev.switchyard.execution.dead",
  }),
};

const event = {
  type: "execution.dead",
  id: "evt_1",
  at: "2030-01-01T00:00:00Z",
  data: {
    execution: { id: "ex_1", operation: "echo", attempt: 4, error: { detail: "Cannot run it: it threw" } },
    output: { output_str: "hi", output_len: 2 },
  },
};

describe("examples/subscriptions", () => {
  it.each(readdirSync(FOLDER))("%s is a subscription", async (file) => {
    const { kind, ...row } = parse(readFileSync(path.join(FOLDER, file), "utf8")) as Record<string, unknown>;
    expect(kind).toBe("subscription");
    const { url, network, mapping } = v.parse(SubscriptionSchema, row);
    if (url !== null) expect(destinationFault(url, network)).toBeUndefined();
    if (mapping !== null) expect(await (await compileExpression(mapping)).evaluate(event)).toEqual(MAPPED[file]);
    expect(mapping === null).toBe(MAPPED[file] === undefined);
  });
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fixture, STRING_FIELD, storeModule, type Fixture } from "../_fixture.node.ts";
import type { Json } from "../schema.ts";

let base: Fixture;
beforeEach(async () => {
  base = await fixture();
  const type = { schema: STRING_FIELD("input_str") };
  await storeModule(base, "echo", { exports: { echo: { input: type, output: type } } });
  await base.run("create_operation", { name: "demo", implemented_at: "echo:echo" });
  await base.run("create_operation", { name: "many", implemented_at: "echo:echo", batch: true });
});
afterEach(() => base.close());

const GOOD = { name: "nightly", operation: "demo", cron: "0 2 * * *", input: { input_str: "hi" } };

test.each<[string, Json]>([
  ["an expression in a zone", { cron: "30 2 * * MON-FRI", time_zone: "Europe/Berlin" }],
  ["an interval", { cron: null, every_ms: 60_000, jitter_ms: 59_999 }],
  ["seconds", { cron: "*/10 * * * * *", jitter_ms: 9_999 }],
  ["a batch", { operation: "many", input: [{ input_str: "a" }, { input_str: "b" }] }],
  ["every policy", { overlap: "queue", catch_up: "all", catch_up_ms: 3_600_000 }],
])("%s is stored", async (_title, fields) => {
  await expect(base.run("put_schedule", { ...GOOD, ...fields })).resolves.toMatchObject({ name: "nightly" });
});

test.each<[string, Json, string]>([
  ["/cron", { every_ms: 1_000 }, "definition_invalid"],
  ["/cron", { cron: "0 25 * * *" }, "definition_invalid"],
  ["/cron", { cron: "0 0 30 2 *" }, "definition_invalid"],
  ["/time_zone", { time_zone: "Mars/Olympus" }, "definition_invalid"],
  ["/time_zone", { time_zone: "+02:00" }, "definition_invalid"],
  ["/time_zone", { cron: null, every_ms: 60_000, time_zone: "Europe/Berlin" }, "setting_unsupported"],
  ["/jitter_ms", { cron: "*/5 * * * *", jitter_ms: 300_000 }, "definition_invalid"],
  ["/jitter_ms", { cron: null, every_ms: 60_000, jitter_ms: 60_000 }, "definition_invalid"],
  ["/catch_up_ms", { catch_up: "none", catch_up_ms: 60_000 }, "setting_unsupported"],
  ["/catch_up", { catch_up: "all", overlap: "cancel_previous" }, "setting_unsupported"],
  ["/input/input_str", { input: { input_str: 1 } }, "definition_invalid"],
  ["/input", { input: {} }, "definition_invalid"],
  ["/input/1/input_str", { operation: "many", input: [{ input_str: "a" }, { input_str: 2 }] }, "definition_invalid"],
  ["/input", { operation: "many" }, "definition_invalid"],
])("is refused at %s: %j", async (pointer, fields, code) => {
  await expect(base.run("put_schedule", { ...GOOD, ...fields })).rejects.toMatchObject({
    code,
    errors: [expect.objectContaining({ pointer })],
  });
});

describe("an operation that is retyped under its schedule", () => {
  beforeEach(async () => {
    await base.run("put_schedule", GOOD);
    const other = { schema: STRING_FIELD("other_str") };
    await base.run("edit_operation", { name: "demo", patch: { input_type: other.schema } });
  });

  test("does not stop anybody from pausing it", async () => {
    await expect(base.run("edit_schedule", { name: "nightly", patch: { active: false } })).resolves.toMatchObject({
      active: false,
    });
  });

  test("is met when it is resumed, and when its input is edited", async () => {
    await base.run("edit_schedule", { name: "nightly", patch: { active: false } });
    const resumed = base.run("edit_schedule", { name: "nightly", patch: { active: true } });
    await expect(resumed).rejects.toMatchObject({ errors: [expect.objectContaining({ pointer: "/input" })] });
    const patch = { active: true, input: { other_str: "hi", input_str: null } };
    await expect(base.run("edit_schedule", { name: "nightly", patch })).resolves.toMatchObject({ active: true });
  });
});

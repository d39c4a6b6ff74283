import { expect, test } from "vitest";
import { runOpctl } from "../testing/run-opctl.ts";
import { preview } from "./preview.ts";

test("preview() marks what changes of the clocks do", () => {
  const options = { timeZone: "Europe/Berlin", count: 2 };
  expect(preview("30 2 * * *", { ...options, from: Date.parse("2026-03-28T12:00Z") })).toEqual([
    {
      due_at: "2026-03-29T01:00:00.000Z",
      local: "2026-03-29T03:00:00+02:00",
      note: expect.stringContaining("put off"),
    },
    { due_at: "2026-03-30T00:30:00.000Z", local: "2026-03-30T02:30:00+02:00", note: null },
  ]);
  const notes = preview("*/30 2 * * *", { ...options, count: 4, from: Date.parse("2026-10-24T12:00Z") }).map(
    ({ note }) => note,
  );
  expect(notes).toEqual([
    expect.stringContaining("first"),
    expect.stringContaining("first"),
    expect.stringContaining("second"),
    expect.stringContaining("second"),
  ]);
});

test("opctl schedule preview needs no platform, and prints a table or JSON", async () => {
  const words = [
    "schedule",
    "preview",
    "0 2 * * *",
    "--tz",
    "Asia/Kolkata",
    "--from",
    "2026-01-01T00:00:00Z",
    "--count",
    "2",
  ];
  const table = await runOpctl(words);
  expect(table).toMatchObject({ code: 0 });
  expect(table.stdout).toContain("2026-01-02T02:00:00+05:30");
  const json = await runOpctl([...words, "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject([{ due_at: "2026-01-01T20:30:00.000Z" }, {}]);
});

test.each([
  [["0 25 * * *"], "the hour"],
  [["nightly"], "opctl describe schedule nightly"],
  [["0 2 * * *", "--tz", "Nowhere/Land"], "--tz"],
  [["0 2 * * *", "--from", "yesterday"], "--from"],
  [["0 2 * * *", "--count", "0"], "--count"],
])("opctl schedule preview %j is a usage error", async (words, says) => {
  const ran = await runOpctl(["schedule", "preview", ...words]);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain(says);
});

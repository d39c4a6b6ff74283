import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StartJournal } from "./_journal.node.ts";

let folder: string;
let file: string;
let journal: StartJournal;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "journal-"));
  file = path.join(folder, "journal");
  journal = new StartJournal(file);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("hasStarted() knows whole lines only, also those written since it last looked", () => {
  appendFileSync(file, "ex_1\nex_2");
  expect(["ex_1", "ex_2", "ex_3"].map((id) => journal.hasStarted(id))).toEqual([true, false, false]);
  appendFileSync(file, "2\nex_3\n");
  expect(["ex_22", "ex_2", "ex_3"].map((id) => journal.hasStarted(id))).toEqual([true, false, true]);
});

it("cut() leaves a small file alone", async () => {
  appendFileSync(file, "ex_1\n");
  await journal.cut(() => Promise.reject(new Error("must not be asked")));
  expect(journal.hasStarted("ex_1")).toBe(true);
});

it("cut() empties a large file, and what runs is found again", async () => {
  appendFileSync(file, "ex_finished\n".repeat(400_000));
  expect(journal.hasStarted("ex_finished")).toBe(true);
  await journal.cut(async () => {
    // In between nobody knows, and "started" is the answer that runs nothing twice.
    expect(journal.hasStarted("ex_unheard_of")).toBe(true);
    appendFileSync(file, "ex_running\n");
  });
  expect(statSync(file).size).toBeLessThan(100);
  expect(["ex_running", "ex_finished"].map((id) => journal.hasStarted(id))).toEqual([true, false]);
});

it("cut() counts everything as started when the process does not write", async () => {
  appendFileSync(file, "ex_finished\n".repeat(400_000));
  await journal.cut(() => Promise.reject(new Error("stalled")));
  expect(journal.hasStarted("ex_unheard_of")).toBe(true);
});

it("close() removes the file", () => {
  journal.close();
  expect(existsSync(file)).toBe(false);
});

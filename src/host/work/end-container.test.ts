import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { endContainer } from "./end-container.node.ts";

test("endContainer() asks an engine that does not answer until it does, for one of those that wait at a time", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "switchyard-engine-"));
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true, force: true });
  });
  const [engine, container] = [path.join(folder, "engine"), path.join(folder, "container")];
  writeFileSync(container, "");
  const asked = path.join(folder, "asked");
  const script = `echo >> ${asked}; [ -e ${engine} ] || { echo "Cannot connect to the Docker daemon at x" >&2; exit 1; }`;
  const ends = ["one", "two", "three"].map(() => endContainer([["sh", "-c", `${script}; rm -f ${container}`]]));
  await Promise.all(ends.map(({ tried }) => tried));
  const times = () => readFileSync(asked, "utf8").length;
  expect([times(), existsSync(container)]).toEqual([3, true]);
  vi.advanceTimersToNextTimer();
  await vi.waitUntil(() => vi.getTimerCount() > 0, { timeout: 10_000 });
  // Only one of them.
  expect(times()).toBe(4);
  writeFileSync(engine, "");
  vi.advanceTimersToNextTimer();
  await Promise.all(ends.map(({ gone }) => gone));
  expect([times(), existsSync(container)]).toEqual([7, false]);
});

test("endContainer() takes it for gone where its engine says anything else", async () => {
  await endContainer([["sh", "-c", "echo 'Error: No such container: x' >&2; exit 1"]]).gone;
});

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { endContainer } from "./end-container.node.ts";

test("endContainer() asks an engine that does not answer until it does", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "switchyard-engine-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [engine, container] = [path.join(folder, "engine"), path.join(folder, "container")];
  writeFileSync(container, "");
  const script = `[ -e ${engine} ] || { echo "Cannot connect to the Docker daemon at x" >&2; exit 1; }; rm ${container}`;
  const { tried, gone } = endContainer([["sh", "-c", script]]);
  await tried;
  expect(existsSync(container)).toBe(true);
  writeFileSync(engine, "");
  await gone;
  expect(existsSync(container)).toBe(false);
});

test("endContainer() takes it for gone where its engine says anything else", async () => {
  await endContainer([["sh", "-c", "echo 'Error: No such container: x' >&2; exit 1"]]).gone;
});

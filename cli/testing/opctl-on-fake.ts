/** A platform in memory and a folder for each test of a file, and opctl as a child process on both. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "vitest";
import { viewOf } from "./fake-executions.ts";
import { startFakePlatform, type FakePlatform } from "./fake-platform.ts";
import { runOpctl, type Run } from "./run-opctl.ts";

export type OpctlOnFake = {
  readonly platform: FakePlatform;
  readonly folder: string;
  readonly environment: Record<string, string>;
  opctl(...words: string[]): Promise<Run>;
  /** The execution has succeeded. */
  end(id: string, output: string): void;
};

/** Called once at the top of a test file. There are an operation `slow`, which is asynchronous, and `quick`. */
export function opctlOnFake(): OpctlOnFake {
  let platform: FakePlatform;
  let folder: string;
  beforeEach(async () => {
    platform = await startFakePlatform();
    folder = mkdtempSync(path.join(tmpdir(), "opctl-test-"));
    platform.operations.set("slow", { inputSchema: true, run: (input) => input, async: true });
    platform.operations.set("quick", { inputSchema: true, run: (input) => input });
  });
  afterEach(async () => {
    await platform.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const environment = (): Record<string, string> => ({ SWITCHYARD_URL: platform.url, SWITCHYARD_TOKEN: "sy_test" });
  return {
    get platform() {
      return platform;
    },
    get folder() {
      return folder;
    },
    get environment() {
      return environment();
    },
    opctl: (...words) => runOpctl(words, { cwd: folder, env: environment() }),
    end: (id, output) => {
      platform.executions.views.set(id, viewOf(1, { id, status: "succeeded", attempt: 1 }));
      platform.executions.outputs.set(id, output);
    },
  };
}

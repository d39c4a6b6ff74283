/** `opctl edit` with real child processes as editors. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startFakePlatform, type FakePlatform } from "../testing/fake-platform.ts";
import { runOpctl, type Run } from "../testing/run-opctl.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

let platform: FakePlatform;
let folder: string;

beforeEach(async () => {
  platform = await startFakePlatform();
  folder = mkdtempSync(path.join(tmpdir(), "opctl-test-"));
  platform.put("operation", { name: "demo", implemented_at: "echo:echo", input_type: null, group: "default" });
});
afterEach(async () => {
  await platform.close();
  rmSync(folder, { recursive: true, force: true });
});

function opctl(words: string[], options: { env?: Record<string, string> } = {}): Promise<Run> {
  const env = { SWITCHYARD_URL: platform.url, SWITCHYARD_TOKEN: "sy_test", ...options.env };
  return runOpctl(words, { cwd: folder, env });
}

/** A shell script as the editor; "$1" is the file. */
function editor(script: string): Record<string, string> {
  const file = path.join(folder, "editor.sh");
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { EDITOR: file };
}

describe("opctl edit", () => {
  test("-s sends a merge patch under the ETag it read", async () => {
    const run = await opctl(["edit", "operation", "demo", "-s", "implemented_at=echo:echo2", "-s", "timeout_ms=1000"]);
    expect(run).toMatchObject({ code: 0, stderr: "operation demo: revision 1 → 2\n" });
    const sent = platform.seen.at(-1);
    expect(sent?.method).toBe("PATCH");
    expect(JSON.parse(sent?.body ?? "")).toEqual({ implemented_at: "echo:echo2", timeout_ms: 1000 });
    expect(sent?.headers["if-match"]).toMatch(/^"[0-9a-f]{64}"$/);
  });

  test("in the editor sends only what was changed, so that nothing else is resolved anew", async () => {
    const run = await opctl(["edit", "operation", "demo"], {
      env: editor('sed -i "s/group: default/group: other/" "$1"'),
    });
    expect(run.code).toBe(0);
    expect(JSON.parse(platform.seen.at(-1)?.body ?? "")).toEqual({ group: "other" });
  });

  test("in the editor says so when nothing was changed, and sends nothing", async () => {
    const run = await opctl(["edit", "operation", "demo"], { env: editor("true") });
    expect(run.stderr).toContain("nothing was changed");
    expect(platform.seen.map(({ method }) => method)).toEqual(["GET"]);
  });

  test("refuses a lost update and keeps the text", async () => {
    let reads = 0;
    platform.before = ({ method }) => {
      if (method === "GET" && ++reads === 1) return;
      platform.put("operation", { name: "demo", group: "theirs" });
    };
    const run = await opctl(["edit", "operation", "demo"], {
      env: editor('sed -i "s/group: default/group: mine/" "$1"'),
    });
    expect(run.code).toBe(5);
    const kept = /kept in (\S+?):/.exec(run.stderr)?.[1] ?? "";
    expect(readFileSync(kept, "utf8")).toContain("group: mine");
    rmSync(path.dirname(kept), { recursive: true });
  });

  test("opens the editor again on text that is not YAML, with the reason on top", async () => {
    const script = `if grep -q '^#!' "$1"; then sed -i 's/group: .*/group: mended/' "$1"; else sed -i 's/group: .*/group: [/' "$1"; fi`;
    const run = await opctl(["edit", "operation", "demo"], { env: editor(script) });
    expect(run).toMatchObject({ code: 0 });
    expect(JSON.parse(platform.seen.at(-1)?.body ?? "")).toEqual({ group: "mended" });
  });

  test("keeps the text when the editor gives up on a refused definition", async () => {
    const run = await opctl(["edit", "operation", "demo"], { env: editor(`sed -i 's/name: .*/name: other/' "$1"`) });
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/opctl duplicate operation demo/);
    expect(run.stderr).toMatch(/Your text is kept in/);
  });
});

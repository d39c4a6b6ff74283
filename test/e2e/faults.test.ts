/** Each fault by itself, on the real platform: what it does to the execution it hits, and that it does nothing to others. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import { Victim } from "../soak/_victim.ts";
import { accepted, ended, listed, submit, viewOf } from "./_executions.ts";
import { fill, mountSmallDisk } from "./_small-disk.ts";
import { install, waitUntil, type Dev } from "./_platform.ts";

const MIB = 2 ** 20;

let victim: Victim;
let dev: Dev;
beforeAll(async () => {
  victim = await Victim.start();
  ({ dev } = victim);
  await install(dev, "identity", "export function identity(input) { return input; }", { is_async: true });
});
afterAll(() => victim?.stop());

const RETRY = { initial_ms: 10, max_ms: 50 };

describe("an input that kills its executor each time", () => {
  it.each([
    {
      how: "spins",
      code: "export function spins() { for (;;); }",
      row: { timeout_ms: 1_000, retry: { max_attempts: 3, ...RETRY } },
      end: "failed",
      attempts: 3,
      error: "timeout",
    },
    {
      how: "allocates",
      code: `export function allocates() { const all = []; for (;;) all.push(new Uint8Array(${32 * MIB}).fill(1)); }`,
      row: { timeout_ms: 20_000, retry: { max_attempts: 3, ...RETRY } },
      end: "lost",
      // An executor's loss has a limit of its own, LIMITS.lostAttempts.
      attempts: 10,
      error: "executor_lost",
    },
  ])(
    "is dead within its limit when it $how, and all others succeed meanwhile",
    async ({ how, code, row, end, attempts, error }) => {
      await install(dev, how, code, { is_async: true, ...row });
      const poison = await accepted(dev, how, {});
      const others: string[] = [];
      await waitUntil(async () => {
        others.push(await accepted(dev, "identity", others.length));
        return isFinal((await viewOf(dev, poison)).status);
      }, 100_000);
      const view = await viewOf(dev, poison);
      expect(view).toMatchObject({ status: "dead", error: { code: error } });
      expect(view.attempts.map((attempt) => attempt.end)).toEqual(Array(attempts).fill(end));
      expect(others.length).toBeGreaterThan(10);
      const rest = await Promise.all(others.map((id) => ended(dev, id)));
      expect(rest.filter(({ status }) => status !== "succeeded")).toEqual([]);
    },
    120_000,
  );
});

describe("a cancel that races the end", () => {
  it("finds the execution ended or ends it; it never becomes the other", async () => {
    const code = "export async function brief() { await new Promise((r) => setTimeout(r, 20)); return 1; }";
    await install(dev, "brief", code, { is_async: true });
    await ended(dev, await accepted(dev, "brief", {}));
    const said: { id: string; status: number }[] = [];
    const race = async (waitMs: number): Promise<void> => {
      const id = await accepted(dev, "brief", {});
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      const response = await dev.request(`/executions/${id}/cancel`, { method: "POST" });
      await response.text();
      said.push({ id, status: response.status });
    };
    // From long before the end to after it, in small steps: some of them meet it.
    for (let waitMs = 0; waitMs < 60; waitMs += 3) await Promise.all(Array.from({ length: 6 }, () => race(waitMs)));
    const now = async (): Promise<unknown[]> =>
      Promise.all(
        said.map(async ({ id, status }) => {
          const view = await ended(dev, id);
          const output = await dev.request(`/executions/${id}/output`);
          return [id, status, view.status, output.status === 200 ? await output.json() : "none"];
        }),
      );
    const first = await now();
    expect(first).toEqual(
      said.map(({ id, status }) => (status === 200 ? [id, 200, "cancelled", "none"] : [id, 409, "succeeded", 1])),
    );
    expect(new Set(said.map(({ status }) => status))).toEqual(new Set([200, 409]));
    expect(await now()).toEqual(first);
  });
});

describe("an output that cannot be taken", () => {
  it("of 9 MiB ends the execution at once: dead, output_too_large", async () => {
    const code = `export function huge() { return "x".repeat(${9 * MIB}); }`;
    await install(dev, "huge", code, { is_async: true, retry: { max_attempts: 3, ...RETRY } });
    const view = await ended(dev, await accepted(dev, "huge", {}));
    expect(view).toMatchObject({ status: "dead", attempt: 1, error: { code: "output_too_large" }, output: null });
  });

  it("for it does not fit its type is tried again as the row says, then dead with output_invalid", async () => {
    const code = `export function misfit() { return "no number"; }`;
    const row = { is_async: true, retry: { max_attempts: 3, ...RETRY }, output_type: { schema: { type: "integer" } } };
    await install(dev, "misfit", code, row);
    const view = await ended(dev, await accepted(dev, "misfit", {}));
    expect(view).toMatchObject({ status: "dead", attempt: 3, error: { code: "output_invalid" }, output: null });
    expect(view.attempts.map(({ end }) => end)).toEqual(["failed", "failed", "failed"]);
  });
});

describe("the registry's process", () => {
  it("is killed while work is queued: it runs when the registry is back, and no try is lost", async () => {
    // Never run before, so that its code must be fetched.
    await install(dev, "unseen", "export function unseen(input) { return input; }", { is_async: true });
    const id = await accepted(dev, "unseen", 7, "?delay_ms=500");
    const [registry = 0] = victim.pidsOf("registry");
    // Hung first: a killed one is back too soon to be missed.
    process.kill(registry, "SIGSTOP");
    try {
      let view: ExecutionView | undefined;
      await waitUntil(
        async () => (view = await viewOf(dev, id)).attempt > 0 && view.status === "queued",
        20_000,
        () => JSON.stringify(view),
      );
      expect(view).toMatchObject({ attempts: [], error: { code: "registry_unavailable" } });
    } finally {
      process.kill(registry, "SIGKILL");
    }
    const view = await ended(dev, id, 60_000);
    expect(view).toMatchObject({ status: "succeeded", error: null, attempts: [{ end: "succeeded" }] });
    expect(await (await dev.request(`/executions/${id}/output`)).json()).toBe(7);
  });
});

describe("the artifact store", () => {
  const text = "y".repeat(2 * MIB);

  it("takes an output of 2 MiB and gives it back", async () => {
    await install(dev, "large", `export function large() { return "y".repeat(${2 * MIB}); }`, { is_async: true });
    const before = storedBytes();
    const view = await ended(dev, await accepted(dev, "large", {}));
    expect(view).toMatchObject({ status: "succeeded", output: { size_bytes: 2 * MIB + 2 } });
    expect(storedBytes() - before).toBeGreaterThanOrEqual(2 * MIB);
    expect(await (await dev.request(`/executions/${view.id}/output`)).json()).toBe(text);
  });

  it("that cannot be written refuses an input of 2 MiB with 503 and accepts nothing; an output is tried again", async () => {
    const before = await listed(dev, "identity");
    const blobs = blobsFolder();
    // A file in the folder's place: no right to write would not stop root.
    renameSync(blobs, `${blobs}.away`);
    writeFileSync(blobs, "");
    const output = await accepted(dev, "large", {});
    try {
      const { status, body } = await submit(dev, "identity", text);
      expect([status, body]).toMatchObject([503, { code: "artifact_store_unavailable" }]);
      expect((await listed(dev, "identity")).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
      // What needs no store goes on.
      expect(await ended(dev, await accepted(dev, "identity", 1))).toMatchObject({ status: "succeeded" });
      await waitUntil(async () => (await viewOf(dev, output)).attempts.length > 0, 30_000);
    } finally {
      rmSync(blobs);
      renameSync(`${blobs}.away`, blobs);
    }
    expect(await ended(dev, await accepted(dev, "identity", text))).toMatchObject({ status: "succeeded" });
    const view = await ended(dev, output);
    expect(view).toMatchObject({ status: "succeeded", output: { size_bytes: 2 * MIB + 2 } });
    expect(view.attempts[0]).toMatchObject({ end: "failed", error: { code: "artifact_store_unavailable" } });
  });
});

function blobsFolder(): string {
  return path.join(dev.state, "artifacts", "artifacts", "blobs");
}

function storedBytes(): number {
  try {
    return readdirSync(blobsFolder()).reduce((sum, name) => sum + statSync(path.join(blobsFolder(), name)).size, 0);
  } catch {
    return 0; // Nothing was ever stored.
  }
}

const disk = mountSmallDisk();
if (disk === undefined) console.warn("SKIPPED test/e2e/faults.test.ts, a full disk: only root can mount a tmpfs");

describe.skipIf(disk === undefined)("a full disk", () => {
  let full: Victim | undefined;
  afterAll(async () => {
    await full?.stop({ keep: true });
    spawnSync("umount", ["-l", disk ?? ""]);
    rmSync(disk ?? "", { recursive: true, force: true });
  });

  it("refuses with 503 state_unavailable; what was acknowledged is there when there is room again", async () => {
    const state = path.join(disk ?? "", "state");
    mkdirSync(state);
    full = await Victim.start({ state });
    const on = full.dev;
    await install(on, "identity", "export function identity(input) { return input; }", { is_async: true });
    const input = "z".repeat(100_000);
    const dueAt = Date.now() + 2_000;
    const acknowledged = [
      await accepted(on, "identity", input),
      await accepted(on, "identity", input, "?delay_ms=2000"),
    ];
    const filler = path.join(disk ?? "", "filler");
    fill(filler);
    let refused: { status: number; body: { code?: string } } | undefined;
    // What room a log has left in its file is still taken.
    await waitUntil(async () => {
      const answer = await submit(on, "identity", input);
      if (answer.status === 202) acknowledged.push((answer.body as { execution_id: string }).execution_id);
      else refused = answer;
      return refused !== undefined;
    }, 30_000);
    expect(refused).toMatchObject({ status: 503, body: { code: "state_unavailable" } });
    // What is delayed comes due meanwhile, and finds no room.
    while (Date.now() < dueAt + 1_500) {
      const answer = await submit(on, "identity", input);
      if (answer.status === 202) acknowledged.push((answer.body as { execution_id: string }).execution_id);
      else expect(answer).toMatchObject({ status: 503, body: { code: "state_unavailable" } });
    }
    rmSync(filler);
    await waitUntil(async () => (await submit(on, "identity", 0)).status === 202, 30_000);
    for (const id of acknowledged) {
      expect(await ended(on, id, 60_000)).toMatchObject({ status: "succeeded" });
      expect(await (await on.request(`/executions/${id}/output`)).json()).toBe(input);
    }
  }, 180_000);
});

/** Schedules on the real platform: they start, are paused, edited, started by hand, and survive kill -9. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
  await install(dev, "note", "export function note(input) { return input; }");
});
afterAll(async () => {
  await dev.stop();
});

type Execution = {
  id: string;
  status: string;
  accepted_at: string;
  caller: { type: string; id: string };
  principal: string;
};
type Firing = { due_at: string; status: string; execution_id: string | null; reason: string | null; manual: boolean };

async function put(name: string, fields: Record<string, unknown>): Promise<void> {
  const body = JSON.stringify({ operation: "note", input: { from: name }, ...fields });
  const response = await dev.request(`/registry/schedules/${name}`, { method: "PUT", body });
  if (!response.ok) throw new Error(await response.text());
}

async function edit(name: string, patch: Record<string, unknown>): Promise<void> {
  const response = await dev.request(`/registry/schedules/${name}`, { method: "PATCH", body: JSON.stringify(patch) });
  if (!response.ok) throw new Error(await response.text());
}

async function remove(name: string): Promise<void> {
  const response = await dev.request(`/registry/schedules/${name}`, { method: "DELETE" });
  if (!response.ok) throw new Error(await response.text());
}

async function firings(name: string): Promise<Firing[]> {
  const response = await dev.request(`/schedules/${name}/firings`);
  return ((await response.json()) as { items: Firing[] }).items;
}

async function started(name: string): Promise<Execution[]> {
  const response = await dev.request("/executions?trigger=schedule&limit=1000");
  const { items } = (await response.json()) as { items: Execution[] };
  return items.filter(({ caller }) => caller.id === name);
}

const fired = async (name: string): Promise<Firing[]> =>
  (await firings(name)).filter(({ status }) => status === "fired");

describe("a schedule", () => {
  test("starts its operation at due times, as itself, and says so", async () => {
    await put("ticking", { every_ms: 1_000 });
    await waitUntil(async () => (await fired("ticking")).length >= 3, 10_000);
    await remove("ticking");
    const executions = await started("ticking");
    expect(executions.length).toBeGreaterThanOrEqual(3);
    for (const { caller, principal, accepted_at: at } of executions) {
      expect(caller).toEqual({ type: "schedule", id: "ticking" });
      expect(principal).toBe("schedule:ticking");
      // At its due time, a whole second, and not much later.
      expect(Date.parse(at) % 1_000).toBeLessThan(700);
    }
    expect((await dev.request("/schedules/ticking/firings")).status).toBe(404);
    const input = await dev.request(`/executions/${executions[0]?.id}/input`);
    expect(await input.json()).toEqual({ from: "ticking" });
  });
});

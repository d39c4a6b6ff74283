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
    const firedAt = new Map((await fired("ticking")).map(({ execution_id: id, due_at: due }) => [id, Date.parse(due)]));
    await remove("ticking");
    const executions = (await started("ticking")).filter(({ id }) => firedAt.has(id));
    expect(executions.length).toBeGreaterThanOrEqual(3);
    for (const { id, caller, principal, accepted_at: at } of executions) {
      expect(caller).toEqual({ type: "schedule", id: "ticking" });
      expect(principal).toBe("schedule:ticking");
      // At its due time, a whole second, and not before.
      const due = firedAt.get(id) ?? 0;
      expect(due % 1_000).toBe(0);
      expect(Date.parse(at)).toBeGreaterThanOrEqual(due);
    }
    expect((await dev.request("/schedules/ticking/firings")).status).toBe(404);
    const input = await dev.request(`/executions/${executions[0]?.id}/input`);
    expect(await input.json()).toEqual({ from: "ticking" });
  });

  test("goes by its new times at once when it is edited, and not at all while it is paused", async () => {
    await put("edited", { cron: "0 0 1 1 *" });
    expect(await firings("edited")).toEqual([]);
    await edit("edited", { cron: null, every_ms: 1_000 });
    await waitUntil(async () => (await fired("edited")).length >= 2, 10_000);
    await edit("edited", { active: false });
    const before = (await firings("edited")).length;
    await sleep(2_500);
    expect((await firings("edited")).length).toBe(before);
    await edit("edited", { active: true, input: { from: "resumed" } });
    await waitUntil(async () => (await firings("edited")).length > before, 10_000);
    const newest = (await fired("edited"))[0]?.execution_id;
    expect(await (await dev.request(`/executions/${newest}/input`)).json()).toEqual({ from: "resumed" });
    await remove("edited");
  });

  test("is started by hand by whoever has its scopes, and says so", async () => {
    await put("manual", { cron: "0 0 1 1 *", scopes: ["ops:invoke"] });
    const response = await dev.request("/schedules/manual/trigger", { method: "POST" });
    expect(response.status).toBe(202);
    const { execution_id: id } = (await response.json()) as { execution_id: string };
    expect(await firings("manual")).toMatchObject([{ status: "fired", manual: true, execution_id: id }]);
    expect(await started("manual")).toMatchObject([{ id, principal: "schedule:manual" }]);
    const ran = await dev.opctl(["token", "create", "registrar", "--scope", "registry:write", "--json"]);
    const { token } = JSON.parse(ran.stdout) as { token: string };
    const refused = await dev.request("/schedules/manual/trigger", { method: "POST", token });
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, "forbidden"]);
    await edit("manual", { active: false });
    const paused = await dev.request("/schedules/manual/trigger", { method: "POST" });
    expect([paused.status, ((await paused.json()) as { code: string }).code]).toEqual([409, "trigger_inactive"]);
    expect((await dev.request("/schedules/nobody/trigger", { method: "POST" })).status).toBe(404);
  });

  test("with skip leaves out due times while its execution goes on; with queue it starts them in order", async () => {
    await install(
      dev,
      "slowly",
      "export async function slowly() { await new Promise((done) => setTimeout(done, 2500)); }",
    );
    await put("skipping", { operation: "slowly", every_ms: 1_000, overlap: "skip" });
    await put("queueing", { operation: "slowly", every_ms: 1_000, overlap: "queue" });
    await waitUntil(async () => (await firings("skipping")).some(({ status }) => status === "skipped"), 10_000);
    await waitUntil(async () => (await fired("skipping")).length >= 2, 20_000);
    await waitUntil(async () => (await fired("queueing")).length >= 2, 20_000);
    await edit("skipping", { active: false });
    await edit("queueing", { active: false });
    const skipped = (await firings("skipping")).find(({ status }) => status === "skipped");
    expect(skipped?.reason).toMatch(/^ex_.* goes on$/);
    const inOrder = (await fired("queueing")).map(({ due_at: at }) => at);
    expect(inOrder).toEqual(inOrder.toSorted().toReversed());
  });

  test("whose operation is switched off notes why it did not start, and goes on when it is back", async () => {
    await install(dev, "closing", "export function closing() {}");
    await put("closed", { operation: "closing", every_ms: 1_000 });
    const inUse = await dev.request("/registry/operations/closing", { method: "DELETE" });
    expect(((await inUse.json()) as { code: string }).code).toBe("entity_in_use");
    await dev.request("/registry/operations/closing", { method: "PATCH", body: '{"active":false}' });
    await waitUntil(async () => (await firings("closed")).some(({ status }) => status === "failed"), 10_000);
    const failed = (await firings("closed")).find(({ status }) => status === "failed");
    expect(failed?.reason).toContain("operation_inactive");
    await dev.request("/registry/operations/closing", { method: "PATCH", body: '{"active":true}' });
    const before = (await fired("closed")).length;
    await waitUntil(async () => (await fired("closed")).length > before, 10_000);
    await remove("closed");
  });

  test("is shown by opctl with when it is due and what it did", async () => {
    await put("shown", { cron: "0 0 1 1 *", time_zone: "Europe/Berlin" });
    await dev.opctl(["schedule", "trigger", "shown"]);
    const table = await dev.opctl(["get", "schedules", "-f", "name=shown"]);
    expect(table.stdout).toMatch(/shown +true +0 0 1 1 \* +Europe\/Berlin .*-12-31T23:00:00\.000Z .*fired/);
    const described = await dev.opctl(["describe", "schedule", "shown"]);
    expect(described.stdout).toContain("Due next\n");
    expect(described.stdout).toMatch(/Was due\n.*\n.*fired/);
    expect((await dev.opctl(["schedule", "pause", "shown"])).code).toBe(0);
    const paused = await dev.opctl(["get", "schedule", "shown", "--json"]);
    expect(JSON.parse(paused.stdout)).toMatchObject({ active: false, meta: { next_due: null, last_status: "fired" } });
    expect((await dev.opctl(["schedule", "resume", "shown"])).code).toBe(0);
    const history = await dev.opctl(["schedule", "history", "shown", "--json"]);
    expect(JSON.parse(history.stdout)).toMatchObject([{ manual: true, status: "fired" }]);
    const statuses = (await (await dev.request("/schedules?limit=1")).json()) as {
      items: unknown[];
      next_cursor: string;
    };
    expect(statuses.items).toHaveLength(1);
    expect(statuses.next_cursor).not.toBeNull();
    const { body } = await dev.call("list_schedule_firing", { name: "shown" });
    expect(body).toMatchObject({ items: [{ status: "fired" }], next_cursor: null });
  });
});

describe("kill -9 of the whole platform across due times", () => {
  test("each due time comes to at most one execution, and catch_up says which of those that were missed", async () => {
    const first = await startDev();
    await install(first, "note", "export function note(input) { return input; }");
    dev = await exchange(first);
    for (const catchUp of ["none", "last", "all"]) {
      await put(catchUp, { every_ms: 1_000, overlap: "allow", catch_up: catchUp });
    }
    await waitUntil(async () => (await fired("all")).length >= 2, 10_000);
    const killedAt = Date.now();
    await kill(first);
    // Longer than a due time is taken for on time.
    await sleep(14_000 - (Date.now() - killedAt));
    const second = await startDev({ state: first.state, port: first.port });
    const back = Date.now();
    dev = second;
    try {
      await waitUntil(
        async () => (await fired("all"))[0]?.due_at.localeCompare(new Date(back + 1_000).toISOString()) === 1,
        20_000,
      );
      for (const name of ["none", "last", "all"]) await edit(name, { active: false });
      const dues = new Map<string, string[]>();
      for (const name of ["none", "last", "all"]) {
        const all = await fired(name);
        const ids = (await started(name)).map(({ id }) => id);
        // What the history says was started is what was started, and nothing twice.
        expect(new Set(all.map(({ execution_id: id }) => id)).size, name).toBe(all.length);
        expect(ids.toSorted(), name).toEqual(all.map(({ execution_id: id }) => id ?? "").toSorted());
        dues.set(name, all.map(({ due_at: at }) => at).toSorted());
      }
      // All of them: no second is missing from the first to the last.
      const all = (dues.get("all") ?? []).map((at) => Date.parse(at));
      expect((all.at(-1) ?? 0) - (all[0] ?? 0)).toBe((all.length - 1) * 1_000);
      const within = (name: string) =>
        (dues.get(name) ?? []).filter((at) => Date.parse(at) > killedAt && Date.parse(at) < back - 11_000);
      expect(within("all").length).toBeGreaterThan(0);
      expect(within("none")).toEqual([]);
      expect(within("last")).toEqual([]);
      for (const name of ["none", "last"]) {
        expect(
          (await firings(name)).some(({ status, reason }) => status === "missed" && /due time/.test(reason ?? "")),
        ).toBe(true);
      }
    } finally {
      await second.stop();
    }
  });
});

/** The platform of the tests before is not needed any more. */
async function exchange(next: Dev): Promise<Dev> {
  await dev.stop();
  return next;
}

/** Its children end with it, so nothing has a chance to finish. */
async function kill(platform: Dev): Promise<void> {
  const ended = new Promise((resolve) => platform.child.once("exit", resolve));
  platform.child.kill("SIGKILL");
  await ended;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(ms, 0));
  });
}

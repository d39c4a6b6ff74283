/** What a running handler does with other executions and with artifacts, on the real platform from end to end. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted, ended, viewOf } from "./_executions.ts";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(async () => {
  await dev.stop();
});

const output = async (id: string): Promise<unknown> => (await dev.request(`/executions/${id}/output`)).json();
const children = async (parent: string): Promise<{ id: string; status: string }[]> => {
  const response = await dev.request(`/executions?parent=${parent}`);
  return ((await response.json()) as { items: { id: string; status: string }[] }).items;
};

const replay = async (id: string, body: object): Promise<{ status: number; body: { execution_id: string } }> => {
  const response = await dev.request(`/executions/${id}/replay`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as never };
};

describe("ctx.artifacts", () => {
  const STORE = `export async function store({ size }, ctx) {
    const chunk = new Uint8Array(65536).fill(7);
    let left = size;
    const stream = new ReadableStream({ pull(controller) {
      if (left === 0) return controller.close();
      const piece = chunk.subarray(0, Math.min(left, chunk.length));
      left -= piece.length;
      controller.enqueue(piece);
    } });
    const stored = await ctx.artifacts.put(stream, { name: "sevens.bin", content_type: "application/x-sevens" });
    const back = await ctx.artifacts.get(stored.artifact_id);
    return { ...stored, read: (await back.bytes()).length };
  }`;

  it.each([
    ["kept and run later", true],
    ["run at once", false],
  ])("stores a stream in parts and reads it back, in a call %s; opctl fetches the same bytes", async (_how, later) => {
    const size = 9 * 1024 * 1024 + 5;
    const name = later ? "store_later" : "store_now";
    await install(dev, name, STORE, { is_async: later });
    const answer = later
      ? await output((await ended(dev, await accepted(dev, name, { size }))).id)
      : (await dev.call(name, { size })).body;
    const sha256 = createHash("sha256").update(Buffer.alloc(size, 7)).digest("hex");
    expect(answer).toMatchObject({ sha256, size_bytes: size, read: size });
    const { artifact_id: id } = answer as { artifact_id: string };
    const response = await dev.request(`/artifacts/${id}`);
    expect(response.headers.get("content-type")).toBe("application/x-sevens");
    const fetched = await dev.opctl(["artifact", "get", id, `${name}.bin`], { cwd: dev.state });
    expect([fetched.code, fetched.stderr]).toMatchObject([0, expect.stringContaining(sha256)]);
  });
});

describe("ctx.call of an asynchronous operation", () => {
  it("gives a handle whose result can be awaited, or rejects with the child's error", async () => {
    await install(
      dev,
      "child",
      `export function child({ n }) { if (n < 0) throw Object.assign(new Error("too small"), { code: "terminal" }); return { n: n + 1 }; }`,
      { is_async: true },
    );
    await install(
      dev,
      "parent",
      `export async function parent({ n }, ctx) {
      const handle = await ctx.call("child", { n });
      try { return { id: handle.execution_id, got: await handle.result() }; } catch (error) { return { id: handle.execution_id, code: error.code }; }
    }`,
    );
    const good = (await dev.call("parent", { n: 1 })).body as { id: string };
    expect(good).toMatchObject({ got: { n: 2 } });
    expect(await viewOf(dev, good.id)).toMatchObject({ status: "succeeded", trigger: "execution" });
    expect((await dev.call("parent", { n: -1 })).body).toMatchObject({ code: "implementation_failed" });
  });

  it("a parent's cancel reaches its children, and a handler that heeds ctx.signal", async () => {
    await install(
      dev,
      "sleeper",
      `export async function sleeper(_input, ctx) {
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      throw ctx.signal.reason;
    }`,
      { is_async: true },
    );
    await install(
      dev,
      "mother",
      `export async function mother(_input, ctx) {
      const handles = await Promise.all([1, 2, 3].map((n) => ctx.call("sleeper", { n })));
      return Promise.all(handles.map((handle) => handle.result()));
    }`,
      { is_async: true },
    );
    const id = await accepted(dev, "mother", {});
    await waitUntil(async () => (await children(id)).filter(({ status }) => status === "running").length === 3, 20_000);
    expect((await dev.request(`/executions/${id}/cancel`, { method: "POST", body: "{}" })).status).toBe(200);
    await waitUntil(async () => (await children(id)).every(({ status }) => status === "cancelled"), 20_000);
    expect((await viewOf(dev, id)).status).toBe("cancelled");
  });
});

describe("replay", () => {
  it("runs the revision that ran, or the one asked for if the input fits it, and links both", async () => {
    await install(dev, "versioned", `export function versioned(input) { return { one: input }; }`, { is_async: true });
    const first = await ended(dev, await accepted(dev, "versioned", { a: "text" }));
    await install(dev, "versioned", `export function versioned(input) { return { two: input }; }`, {
      is_async: true,
      input_type: { schema: { type: "object", properties: { a: { type: "string" }, b: { default: 5 } } } },
    });
    const same = await ended(dev, (await replay(first.id, {})).body.execution_id);
    expect([await output(same.id), same.revision, same.replay_of]).toEqual([{ one: { a: "text" } }, 1, first.id]);
    const latest = await ended(dev, (await replay(first.id, { revision: "latest" })).body.execution_id);
    expect([await output(latest.id), latest.revision]).toEqual([{ two: { a: "text", b: 5 } }, 2]);
    expect((await viewOf(dev, first.id)).replayed_by).toEqual([same.id, latest.id]);
    await install(dev, "versioned", `export function versioned(input) { return { three: input }; }`, {
      is_async: true,
      input_type: { schema: { type: "object", properties: { a: { type: "number" } } } },
    });
    expect(await replay(first.id, { revision: "latest" })).toMatchObject({
      status: 422,
      body: { code: "input_invalid" },
    });
  });

  it("of a batch runs only the items that have not succeeded", async () => {
    await install(
      dev,
      "half",
      `export function half({ n }, ctx) {
      ctx.log.info("item", n);
      if (n % 2 === 1) throw Object.assign(new Error("odd"), { code: "terminal" });
      return n / 2;
    }`,
      { is_async: true, batch: true },
    );
    const first = await ended(dev, await accepted(dev, "half", [{ n: 2 }, { n: 5 }, { n: 6 }]));
    expect(first).toMatchObject({ status: "dead", error: { code: "batch_incomplete" } });
    const list = await dev.request(`/artifacts/${first.output?.artifact_id}`);
    expect(await list.json()).toMatchObject([{ ok: true, output: 1 }, { ok: false }, { ok: true, output: 3 }]);
    const again = await ended(dev, (await replay(first.id, {})).body.execution_id);
    const logs = await dev.request(`/executions/${again.id}/logs`);
    const said = ((await logs.json()) as { items: { message: string }[] }).items.map(({ message }) => message);
    expect(said.filter((message) => message.includes("item"))).toEqual(["[1] item 5"]);
  });
});

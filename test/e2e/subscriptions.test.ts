/** What happens at the end of an execution, on the real platform, with a receiver on this machine. */
import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ExecutionView } from "../../src/model/execution.ts";
import { Victim } from "../soak/_victim.ts";
import { accepted, ended, listed } from "./_executions.ts";
import { install, waitUntil, type Dev } from "./_platform.ts";
import { Receiver, type Came } from "./_receiver.ts";

const SECRET = `whsec_${Buffer.from("a secret of at least 24 bytes").toString("base64")}`;
const RETRY = { max_attempts: 5, initial_ms: 10, max_ms: 50 };

let victim: Victim;
let receiver: Receiver;
const dev = (): Dev => victim.dev;

beforeAll(async () => {
  victim = await Victim.start();
  const code = `export function work(input) {
    if (input?.fail) throw Object.assign(new Error(input.fail), { code: "terminal" });
    return { seen: input };
  }`;
  await install(dev(), "work", code, { is_async: true, group: "shop" });
  await install(dev(), "sync", code, { group: "shop" });
  await install(dev(), "other", "export const other = (input) => input;", { is_async: true });
  await put("secrets", "signing", { value: SECRET });
});
afterAll(() => victim?.stop());
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(async () => {
  await receiver.close();
  const response = await dev().request("/registry/subscriptions");
  for (const { name } of ((await response.json()) as { items: { name: string }[] }).items)
    await dev().request(`/registry/subscriptions/${name}`, { method: "DELETE" });
});

async function put(kind: string, name: string, body: unknown): Promise<void> {
  const response = await dev().request(`/registry/${kind}/${name}`, { method: "PUT", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
}

function subscribe(name: string, more: Record<string, unknown> = {}): Promise<void> {
  return put("subscriptions", name, {
    operations: ["work"],
    url: `${receiver.url}/${name}`,
    secrets: ["signing"],
    network: "private",
    retry: RETRY,
    ...more,
  });
}

async function came(count: number): Promise<Came[]> {
  await waitUntil(
    () => receiver.came.length >= count,
    15_000,
    () => `${receiver.came.length} of ${count} came\n${dev().output().slice(-3_000)}`,
  );
  return receiver.came;
}

/** As the specification has it, by other means than the platform's. */
function isSigned({ headers, body }: Came): boolean {
  const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
  const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return (
    headers["webhook-signature"]
      ?.split(" ")
      .includes(`v1,${createHmac("sha256", key).update(content).digest("base64")}`) === true
  );
}

/** Deliveries of this subscription, newest first, that have ended. */
async function deliveries(name: string, count: number): Promise<ExecutionView[]> {
  let found: ExecutionView[] = [];
  await waitUntil(
    async () => {
      found = (await listed(dev(), "deliver_event")).filter(({ caller }) => caller.id === name);
      return found.length >= count && found.every(({ finished_at }) => finished_at !== null);
    },
    15_000,
    () => JSON.stringify(found),
  );
  return found;
}

describe("the end of an execution", () => {
  it("is told to a URL, signed, with what the execution came to", async () => {
    await subscribe("told");
    const id = await accepted(dev(), "work", { n: 1 });
    const [event] = await came(1);
    expect(isSigned(event!)).toBe(true);
    expect(event?.path).toBe("/told");
    expect(event?.headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": expect.stringMatching(/^Switchyard\//),
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
    expect(JSON.parse(event!.body)).toEqual({
      type: "execution.succeeded",
      id: id.replace("ex_", "evt_"),
      at: expect.any(String),
      data: {
        execution: {
          id,
          operation: "work",
          revision: 1,
          status: "succeeded",
          caller: expect.objectContaining({ type: "token" }),
          accepted_at: expect.any(String),
          started_at: expect.any(String),
          finished_at: expect.any(String),
          attempt: 1,
          error: null,
          parent: null,
          replay_of: null,
        },
        output: { seen: { n: 1 } },
      },
    });
    const [delivery] = await deliveries("told", 1);
    expect(delivery).toMatchObject({
      status: "succeeded",
      caller: { type: "subscription", id: "told" },
      principal: "subscription:told",
    });
    expect(delivery?.traceparent.slice(3, 35)).toBe(event?.headers["traceparent"]?.slice(3, 35));
  });

  it("is told of synchronous calls too, of failures and cancels, and only of what is asked for", async () => {
    await subscribe("bad", { operations: [], groups: ["shop"], on: ["dead", "failed", "cancelled", "expired"] });
    await dev().call("sync", { n: 1 });
    await dev().call("sync", { fail: "no" });
    await accepted(dev(), "work", {});
    await accepted(dev(), "work", { fail: "never" });
    await accepted(dev(), "other", {});
    const late = await accepted(dev(), "work", {}, "?delay_ms=3600000");
    await dev().request(`/executions/${late}/cancel`, { method: "POST" });
    const events = await came(3);
    const found = events.map(
      ({ body }) => JSON.parse(body) as { type: string; data: { execution: { operation: string } } },
    );
    expect(found.map(({ type, data }) => `${data.execution.operation} ${type}`).toSorted()).toEqual([
      "sync execution.failed",
      "work execution.cancelled",
      "work execution.dead",
    ]);
  });

  it("is mapped, by an expression that sees the input", async () => {
    await subscribe("mapped", { mapping: '{"text": "order " & data.input.order & " is " & data.execution.status}' });
    await accepted(dev(), "work", { order: 7 });
    const [event] = await came(1);
    expect(JSON.parse(event!.body)).toEqual({ text: "order 7 is succeeded" });
    expect(isSigned(event!)).toBe(true);
  });

  it("calls another operation, as the subscription and one level deeper", async () => {
    await subscribe("next", {
      url: null,
      secrets: [],
      network: "public",
      retry: null,
      operation: "other",
      mapping: "data.output",
    });
    await accepted(dev(), "work", { n: 5 });
    let found: ExecutionView | undefined;
    await waitUntil(async () => {
      found = (await listed(dev(), "other")).find(({ caller }) => caller.id === "next");
      return found?.status === "succeeded";
    }, 10_000);
    expect(found).toMatchObject({ caller: { type: "subscription", id: "next" }, principal: "subscription:next" });
    const output = await dev().request(`/executions/${found!.id}/output`);
    expect(await output.json()).toEqual({ seen: { n: 5 } });
  });
});

describe("a webhook of another platform", () => {
  it("takes what a subscription sends, with the secret that both have", async () => {
    await put("webhooks", "inbox", { operation: "other", scheme: "standard", secrets: ["signing"] });
    await subscribe("to-hook", { url: `${dev().url}/hooks/inbox` });
    const id = await accepted(dev(), "work", { n: 8 });
    let found: ExecutionView | undefined;
    await waitUntil(async () => {
      found = (await listed(dev(), "other")).find(({ caller }) => caller.type === "webhook");
      return found?.status === "succeeded";
    }, 15_000);
    const output = await dev().request(`/executions/${found!.id}/output`);
    expect(await output.json()).toMatchObject({ type: "execution.succeeded", data: { execution: { id } } });
    await dev().request("/registry/webhooks/inbox", { method: "DELETE" });
  });
});

describe("a delivery", () => {
  it("is tried again after 500s, as the same message", async () => {
    receiver.answers.push({ status: 500, body: "oh no" }, { status: 502 });
    await subscribe("flaky");
    await accepted(dev(), "work", {});
    const events = await came(3);
    expect(new Set(events.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(events.map(({ body }) => body)).size).toBe(1);
    expect(events.every(isSigned)).toBe(true);
    const [delivery] = await deliveries("flaky", 1);
    expect(delivery).toMatchObject({ status: "succeeded", attempt: 3 });
    const logs = await dev().request(`/executions/${delivery!.id}/logs`);
    expect(JSON.stringify(await logs.json())).toContain("oh no");
  });

  it("comes when the receiver is back", async () => {
    await subscribe("absent", { retry: { max_attempts: 50, initial_ms: 50, max_ms: 100 } });
    await receiver.close();
    const id = await accepted(dev(), "work", {});
    await ended(dev(), id);
    await waitUntil(async () => {
      const delivery = (await listed(dev(), "deliver_event")).find(({ caller }) => caller.id === "absent");
      return (delivery?.attempts.length ?? 0) > 1;
    }, 10_000);
    await receiver.open();
    const [event] = await came(1);
    expect(JSON.parse(event!.body)).toMatchObject({ data: { execution: { id } } });
  });

  it("waits as long as Retry-After says", async () => {
    receiver.answers.push({ status: 429, headers: { "retry-after": "1" } });
    await subscribe("patient");
    await accepted(dev(), "work", {});
    const [first, second] = await came(2);
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it("is dead in the end, and replayed by opctl", async () => {
    receiver.usual = { status: 500, body: `no ${SECRET}` };
    await subscribe("dead", { retry: { max_attempts: 2, initial_ms: 1, max_ms: 1 } });
    await accepted(dev(), "work", { n: 1 });
    const [delivery] = await deliveries("dead", 1);
    expect(delivery).toMatchObject({ status: "dead", error: { code: "delivery_refused" } });
    const list = await dev().opctl(["get", "executions", "--status", "dead", "--operation", "deliver_event"]);
    expect(list.stdout).toContain(delivery!.id);
    const logs = await dev().opctl(["logs", delivery!.id]);
    expect(logs.stdout + JSON.stringify(delivery)).not.toContain(SECRET.slice(6));
    receiver.usual = { status: 200 };
    const replayed = await dev().opctl(["replay", delivery!.id]);
    expect(replayed.code, replayed.stderr).toBe(0);
    const events = await came(3);
    expect(new Set(events.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(isSigned(events[2]!)).toBe(true);
  });

  it("is given up when the receiver is gone, and the subscription is switched off", async () => {
    receiver.usual = { status: 410 };
    await subscribe("gone");
    await accepted(dev(), "work", {});
    const [delivery] = await deliveries("gone", 1);
    expect(delivery).toMatchObject({ status: "dead", attempt: 1 });
    const row = await dev().request("/registry/subscriptions/gone");
    expect(await row.json()).toMatchObject({ active: false });
    await accepted(dev(), "work", {});
    await accepted(dev(), "work", {});
    expect(receiver.came).toHaveLength(1);
  });

  it("ends in time when the receiver does not answer", async () => {
    receiver.usual = null;
    await subscribe("silent", { timeout_ms: 300, retry: { max_attempts: 1 } });
    await accepted(dev(), "work", {});
    const [delivery] = await deliveries("silent", 1);
    expect(delivery).toMatchObject({ status: "dead", error: { code: "timeout" } });
  });

  it("whose mapping fails is dead at once, and goes through when the mapping is mended", async () => {
    await subscribe("broken", { mapping: "$error('no')" });
    await subscribe("good");
    await accepted(dev(), "work", { n: 3 });
    await came(1);
    const [delivery] = await deliveries("broken", 1);
    expect(delivery).toMatchObject({ status: "dead", attempt: 1, error: { code: "expression_failed" } });
    await subscribe("broken", { mapping: "data.input" });
    const replayed = await dev().request(`/executions/${delivery!.id}/replay`, { method: "POST", body: "{}" });
    const text = await replayed.text();
    expect(replayed.status, text).toBe(202);
    const { execution_id: again } = JSON.parse(text) as { execution_id: string };
    expect(await ended(dev(), again)).toMatchObject({ status: "succeeded" });
    const [, event] = await came(2);
    expect(event).toMatchObject({ path: "/broken", body: '{"n":3}' });
  });

  it("is refused to whoever is not the subscription and may not write the registry", async () => {
    await subscribe("mine");
    const made = await dev().opctl(["token", "create", "caller", "--scope", "ops:invoke", "--json"]);
    const { token } = JSON.parse(made.stdout) as { token: string };
    const input = { subscription: "mine", event: { id: "evt_x" } };
    const { body } = await dev().call("deliver_event", input, { token });
    const { execution_id: id } = body as { execution_id: string };
    expect(await ended(dev(), id)).toMatchObject({ status: "dead", error: { code: "forbidden" } });
    expect(receiver.came).toEqual([]);
  });
});

describe("subscriptions that lead to each other", () => {
  it("end as deep as calls go, with a record that says so", async () => {
    const own = { url: null, secrets: [], network: "public", retry: null, mapping: "data.output" };
    await subscribe("there", { ...own, operations: ["work"], operation: "other" });
    await subscribe("back", { ...own, operations: ["other"], operation: "work" });
    const first = await accepted(dev(), "work", { loop: 1 });
    let dead: ExecutionView | undefined;
    await waitUntil(async () => {
      dead = (await listed(dev(), "deliver_event")).find(({ error }) => error?.code === "call_depth_exceeded");
      return dead?.status === "dead";
    }, 30_000);
    expect(dead?.error?.detail).toContain("16 deep; this would be 17");
    const since = Date.parse((await ended(dev(), first)).accepted_at);
    const made = [...(await listed(dev(), "work")), ...(await listed(dev(), "other"))].filter(
      ({ accepted_at }) => Date.parse(accepted_at) >= since,
    );
    expect(made).toHaveLength(17);
    // Nothing goes on.
    expect(made.every(({ status }) => status === "succeeded")).toBe(true);
  });

  it("hear of deliveries only where they name them, and never of their own", async () => {
    receiver.usual = { status: 500 };
    const dies = { retry: { max_attempts: 1 }, on: ["dead"] };
    await subscribe("all", { operations: [], on: ["succeeded", "dead"], retry: { max_attempts: 1 } });
    await subscribe("watch", { ...dies, operations: ["deliver_event"] });
    await subscribe("watch-too", { ...dies, operations: ["deliver_event"] });
    await accepted(dev(), "work", {});
    const deepest = 16;
    // One of `all`, and from there one of each that watches, each telling the other.
    await waitUntil(async () => {
      const found = (await listed(dev(), "deliver_event")).filter(({ caller }) => caller.id.startsWith("watch"));
      return found.length === 2 * deepest && found.every(({ status }) => status === "dead");
    }, 30_000);
    const all = (await listed(dev(), "deliver_event")).filter(({ caller }) => caller.id === "all");
    expect(all).toHaveLength(1);
  });
});

describe("kill -9", () => {
  it("between end and delivery loses nothing and delivers nothing as two messages", async () => {
    await subscribe("sturdy", { retry: { max_attempts: 50, initial_ms: 50, max_ms: 200 } });
    const ids: string[] = [];
    for (const target of ["edge", "registry", "platform"] as const) {
      ids.push(...(await Promise.all(Array.from({ length: 10 }, (_, n) => accepted(dev(), "work", { n })))));
      await victim.kill(target);
      await waitUntil(
        async () =>
          (
            await dev()
              .request("/health")
              .catch(() => undefined)
          )?.ok === true,
        30_000,
      );
    }
    await Promise.all(ids.map((id) => ended(dev(), id)));
    const wantedIds = new Set(ids);
    await waitUntil(
      () => {
        const told = new Set(
          receiver.came.map(
            ({ body }) => (JSON.parse(body) as { data: { execution: { id: string } } }).data.execution.id,
          ),
        );
        return [...wantedIds].every((id) => told.has(id));
      },
      30_000,
      () => `${receiver.came.length} came of ${ids.length}`,
    );
    const perExecution = Map.groupBy(
      receiver.came,
      ({ body }) => (JSON.parse(body) as { data: { execution: { id: string } } }).data.execution.id,
    );
    for (const events of perExecution.values())
      expect(new Set(events.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(await deliveries("sturdy", ids.length)).toHaveLength(ids.length);
  }, 120_000);
});

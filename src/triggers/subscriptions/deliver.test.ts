import { createHmac } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Cancellation } from "../../core/cancellation.ts";
import { SwitchyardError, type ErrorCode } from "../../core/errors.ts";
import type { DispatchPorts, KeptCall } from "../../dispatch/dispatch.ts";
import type { Outcome } from "../../model/outcome.ts";
import { deliver, type Delivery, type DeliverPorts } from "./deliver.ts";
import { subscriptionOf } from "./_fixture.test-util.ts";
import { KEPT_BYTES } from "./post.ts";

const NOW = Date.UTC(2030, 0, 1);
const OLD = `whsec_${Buffer.from("the old secret, long enough").toString("base64")}`;
const NEW = `whsec_${Buffer.from("the new secret, long enough").toString("base64")}`;
const event = { type: "execution.succeeded", id: "evt_1", data: { output: { n: 1 } } };

type Receiver = (request: Request) => Promise<Response> | Response;

function setUp(row: Record<string, unknown> = {}, receive: Receiver = () => new Response(null, { status: 204 })) {
  const subscription = subscriptionOf(row);
  const requests: Request[] = [];
  const networks: string[] = [];
  const switchedOff: string[] = [];
  const ports: DeliverPorts = {
    subscription: async (name) => (name === "tell" ? subscription : undefined),
    secrets: async () => [OLD, NEW].slice(0, subscription.secrets.length),
    fetchOn: (network) => {
      networks.push(network);
      return async (request) => {
        requests.push(request.clone());
        return receive(request);
      };
    },
    switchOff: async ({ name }) => void switchedOff.push(name),
    dispatch: {} as DispatchPorts,
    userAgent: "Switchyard/test",
    now: () => NOW,
  };
  const delivery: Delivery = {
    input: { subscription: "tell", event },
    principal: { id: "subscription:tell", name: "tell", scopes: ["ops:invoke"] },
    meta: { execution_id: "ex_1", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, timeout_ms: 1_000 },
    depth: 0,
    cancellation: undefined,
  };
  return { delivery, ports, requests, networks, switchedOff };
}

function failure(outcome: Outcome) {
  if (outcome.ok) throw new Error("it succeeded");
  return { ...outcome.error, retry: outcome.retry };
}

const signed = { unsigned: false, secrets: ["old", "new"] };

describe("deliver()", () => {
  test("posts the event, signed with every secret", async () => {
    const { delivery, ports, requests, networks } = setUp(signed);
    expect(await deliver(delivery, ports)).toMatchObject({ ok: true, output: '{"status":204,"duration_ms":0}' });
    const [request] = requests;
    const body = await request!.text();
    expect(JSON.parse(body)).toEqual(event);
    expect(request).toMatchObject({ url: "https://receiver.example.com/", method: "POST", redirect: "manual" });
    const headers = Object.fromEntries(request!.headers);
    expect(headers).toMatchObject({
      "webhook-id": expect.stringMatching(/^msg_[0-9a-f]{32}$/),
      "webhook-timestamp": String(NOW / 1_000),
      "content-type": "application/json",
      "user-agent": "Switchyard/test",
      traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
    });
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const signatures = [OLD, NEW].map((secret) => {
      const key = Buffer.from(secret.slice("whsec_".length), "base64");
      return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
    });
    expect(headers["webhook-signature"]).toBe(signatures.join(" "));
    expect(networks).toEqual(["public"]);
  });

  test("is the same message at every try, and another for another subscription or event", async () => {
    const ids = await Promise.all(
      [{}, {}, { input: { subscription: "tell", event: { ...event, id: "evt_2" } } }].map(async (change) => {
        const { delivery, ports, requests } = setUp();
        await deliver({ ...delivery, ...change }, ports);
        return requests[0]?.headers.get("webhook-id");
      }),
    );
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  test("posts what the mapping makes of the event", async () => {
    const { delivery, ports, requests } = setUp({ mapping: '{"twice": data.output.n * 2}' });
    await deliver(delivery, ports);
    expect(await requests[0]?.text()).toBe('{"twice":2}');
  });

  test.each([["data.nothing"], ["$error('no')"]])("refuses what the mapping %s fails at", async (mapping) => {
    const { delivery, ports, requests } = setUp({ mapping });
    await expect(deliver(delivery, ports)).rejects.toMatchObject({ code: "expression_failed" });
    expect(requests).toEqual([]);
  });

  test.each<[string, Partial<Delivery["principal"]>, boolean]>([
    ["the subscription itself", {}, true],
    ["another subscription", { id: "subscription:other" }, false],
    ["a token of the same name", { id: "tell" }, false],
    [
      "a token that may invoke everything",
      { id: "tok", scopes: ["ops:invoke", "registry:read", "secrets:use"] },
      false,
    ],
    ["one that may write the registry", { id: "tok", scopes: ["registry:write"] }, true],
    ["an admin", { id: "tok", scopes: ["admin"] }, true],
  ])("is for %s or not: %j", async (_, principal, may) => {
    const { delivery, ports, requests } = setUp();
    const made = deliver({ ...delivery, principal: { ...delivery.principal, ...principal } }, ports);
    if (may) expect(await made).toMatchObject({ ok: true });
    else await expect(made).rejects.toMatchObject({ code: "forbidden" });
    expect(requests).toHaveLength(may ? 1 : 0);
  });

  test.each([
    [{ active: false }, "tell"],
    [{}, "unknown"],
  ])("sends nothing for a subscription that is off or not there: %j %s", async (row, name) => {
    const { delivery, ports, requests } = setUp(row);
    const principal = { id: "tok", name: "tok", scopes: ["admin" as const] };
    const made = deliver({ ...delivery, principal, input: { subscription: name, event } }, ports);
    await expect(made).rejects.toMatchObject({ code: "trigger_inactive" });
    expect(requests).toEqual([]);
  });

  test("sends nothing to a forbidden address, whoever has stored it", async () => {
    const { delivery, ports, requests } = setUp({ url: "https://127.0.0.1/" });
    await expect(deliver(delivery, ports)).rejects.toMatchObject({ code: "destination_forbidden" });
    expect(requests).toEqual([]);
  });

  test("uses the network of the row", async () => {
    const { delivery, ports, networks } = setUp({ url: "http://receiver/", network: "private" });
    await deliver(delivery, ports);
    expect(networks).toEqual(["private"]);
  });

  test("does not sign with a secret that receivers would read otherwise", async () => {
    const { delivery, ports, requests } = setUp({ unsigned: false, secrets: ["one"] });
    const made = deliver(delivery, { ...ports, secrets: async () => ["not base64!"] });
    await expect(made).rejects.toMatchObject({ code: "secret_unavailable" });
    expect(requests).toEqual([]);
  });
});

const type = { schema: true, any: true, check: (value: unknown) => ({ ok: true, value, changed: false }) };
const target = {
  name: "next",
  group: "shop",
  active: true,
  isAsync: false,
  batch: false,
  rateLimit: null,
  input: type,
};
const resolve = async () => ({ operation: target, stale: false });
const keepNothing = async () => ({ id: "ex_2", repeated: false });
const calling = (keep: (call: KeptCall) => Promise<{ id: string; repeated: boolean }>, row = {}) => {
  const { delivery, ports } = setUp({ operation: "next", scopes: ["ops:invoke:shop"], ...row });
  const dispatch = { registry: { resolve }, keeper: { keep }, now: () => NOW } as unknown as DispatchPorts;
  return { delivery, ports: { ...ports, dispatch } };
};

describe("a subscription that calls an operation", () => {
  test("keeps one call for each delivery, as itself and one level deeper", async () => {
    const kept: KeptCall[] = [];
    const { delivery, ports } = calling(
      async (call) => {
        kept.push(call);
        return { id: "ex_2", repeated: false };
      },
      { mapping: "data.output" },
    );
    expect(await deliver({ ...delivery, depth: 4 }, ports)).toMatchObject({
      ok: true,
      output: '{"execution_id":"ex_2"}',
    });
    expect(kept).toMatchObject([
      {
        mode: "async",
        input: { text: '{"n":1}' },
        caller: { type: "subscription", id: "tell" },
        principal: { id: "subscription:tell", scopes: ["ops:invoke:shop"] },
        depth: 5,
        idempotencyKey: "ex_1",
        policy: undefined,
      },
    ]);
  });

  test.each<[ErrorCode, number | undefined, object]>([
    ["queue_full", undefined, { kind: "may" }],
    ["rate_limited", 1_500, { kind: "after", after_ms: 1_500 }],
  ])("tries again what has no room: %s", async (code, afterMs, retry) => {
    const { delivery, ports } = calling(async () => {
      throw new SwitchyardError(code, "no room", afterMs === undefined ? {} : { afterMs });
    });
    expect(failure(await deliver(delivery, ports))).toMatchObject({ code, retry });
  });

  test("is refused what its row's scopes do not include, and what is too deep", async () => {
    const poor = calling(keepNothing, { scopes: ["ops:invoke:other"] });
    await expect(deliver(poor.delivery, poor.ports)).rejects.toMatchObject({ code: "forbidden" });
    const deep = calling(keepNothing);
    await expect(deliver({ ...deep.delivery, depth: 16 }, deep.ports)).rejects.toMatchObject({
      code: "call_depth_exceeded",
    });
  });
});

describe("an answer", () => {
  test.each<[number, Record<string, string>, object]>([
    [500, {}, { code: "delivery_refused", retry: { kind: "may" } }],
    [404, {}, { code: "delivery_refused", retry: { kind: "may" } }],
    [401, {}, { code: "delivery_refused", retry: { kind: "may" } }],
    [429, {}, { code: "delivery_refused", retry: { kind: "may" } }],
    [429, { "retry-after": "120" }, { code: "delivery_refused", retry: { kind: "after", after_ms: 120_000 } }],
    [
      503,
      { "retry-after": new Date(NOW + 60_000).toUTCString() },
      { code: "delivery_refused", retry: { kind: "after", after_ms: 60_000 } },
    ],
    [500, { "retry-after": "120" }, { code: "delivery_refused", retry: { kind: "may" } }],
    [410, {}, { code: "delivery_refused", retry: { kind: "never" } }],
    [
      302,
      { location: "https://127.0.0.1/" },
      { detail: expect.stringContaining("https://127.0.0.1/"), retry: { kind: "may" } },
    ],
  ])("of %i %j is a failure", async (status, headers, expected) => {
    const { delivery, ports, requests, switchedOff } = setUp({}, () => new Response(null, { status, headers }));
    expect(failure(await deliver(delivery, ports))).toMatchObject(expected);
    expect(requests).toHaveLength(1);
    expect(switchedOff).toEqual(status === 410 ? ["tell"] : []);
  });

  test("is logged up to its bound, without the secrets", async () => {
    const { delivery, ports } = setUp(
      signed,
      () => new Response(`${OLD} ${NEW.slice(6)} ${"x".repeat(100_000)}`, { status: 500 }),
    );
    const outcome = await deliver(delivery, ports);
    const [line] = outcome.logs;
    expect(line?.message.startsWith("500 in 0 ms: [secret] [secret] xxx")).toBe(true);
    expect(line?.message.length).toBeLessThan(KEPT_BYTES + 100);
    expect(JSON.stringify(outcome)).not.toContain(OLD.slice(6));
    expect(failure(outcome).detail.length).toBeLessThan(1_000);
  });

  test("that says 2xx is enough, however long the rest of it", async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1_000).fill(97)),
      cancel: () => void (cancelled = true),
    });
    const { delivery, ports } = setUp({}, () => new Response(endless));
    expect(await deliver(delivery, ports)).toMatchObject({ ok: true });
    expect(cancelled).toBe(true);
  });

  test.each([
    ["internal error; reference = abc", "no such name, TLS failed, or the address is one that this network forbids"],
    ["Network connection lost.", "Network connection lost."],
  ])("that never comes is said in words: %s", async (message, words) => {
    const { delivery, ports } = setUp({}, () => Promise.reject(new Error(message)));
    const found = failure(await deliver(delivery, ports));
    expect(found).toMatchObject({ code: "destination_unreachable", retry: { kind: "may" } });
    expect(found.detail).toContain(words);
  });
});

const silent =
  (aborted: () => void): Receiver =>
  (request) =>
    new Promise((_, reject) => {
      request.signal.addEventListener("abort", () => {
        aborted();
        reject(new Error("aborted"));
      });
    });

describe("a receiver that does not answer", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test("is left when the time is up", async () => {
    const aborted = vi.fn();
    const { delivery, ports, requests } = setUp({}, silent(aborted));
    const made = deliver(delivery, ports);
    while (requests.length === 0) await setImmediate();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(failure(await made)).toMatchObject({ code: "timeout", retry: { kind: "may" } });
    expect(aborted).toHaveBeenCalledTimes(1);
  });

  test("is left when the delivery is cancelled", async () => {
    const aborted = vi.fn();
    const { delivery, ports, requests } = setUp({}, silent(aborted));
    const cancellation = new Cancellation();
    const made = deliver({ ...delivery, cancellation }, ports);
    while (requests.length === 0) await setImmediate();
    cancellation.request();
    expect(failure(await made)).toMatchObject({ code: "execution_cancelled", retry: { kind: "never" } });
    expect(aborted).toHaveBeenCalledTimes(1);
  });
});

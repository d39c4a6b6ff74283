import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newDeliveryId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { NewDelivery } from "../../model/delivery.ts";
import { NOW } from "./_test-world.node.ts";
import type { Sent } from "./delivery-messages.ts";
import { DeliveryRecorder } from "./delivery-recorder.ts";
import { utf8, type Bytes } from "./schemes/scheme.ts";

type Message = { shard: number; sent: Sent[]; bodies: Bytes[]; more: [string, number][] };

/** A recorder whose flushes happen when the test says so. */
function world() {
  const messages: Message[] = [];
  const work: Promise<void>[] = [];
  let turn = Promise.withResolvers<void>();
  let failing = false;
  let now = NOW;
  const recorder = new DeliveryRecorder({
    log: (shard) => ({
      record: async (text, bodies, more) => {
        if (failing) throw new Error("no log");
        messages.push({ shard, sent: JSON.parse(text), bodies, more: JSON.parse(more) });
      },
    }),
    background: (each) => void work.push(each),
    sleep: () => turn.promise,
    now: () => now,
  });
  return {
    recorder,
    messages,
    /** The request that the flush under way lives in ends, and takes it along. */
    lose: () => {
      work.length = 0;
      turn = Promise.withResolvers();
    },
    pass: (ms: number) => (now += ms),
    fail: (value: boolean) => (failing = value),
    sent: () => messages.flatMap(({ sent }) => sent.map(({ delivery }) => delivery.id)),
    flush: async (): Promise<void> => {
      const due = work.splice(0);
      turn.resolve();
      turn = Promise.withResolvers();
      await Promise.all(due);
    },
  };
}

function delivery(changes: Partial<NewDelivery> & { shard?: number } = {}): NewDelivery {
  const { shard = 1, ...rest } = changes;
  return {
    id: newDeliveryId(shard, NOW),
    webhook: "hook",
    at_ms: NOW,
    status: "accepted",
    verified: true,
    code: null,
    detail: null,
    errors: [],
    execution_id: null,
    replay_of: null,
    method: "POST",
    path: "/hooks/hook",
    headers: {},
    event_id: null,
    signed_at_ms: null,
    body_size_bytes: 2,
    ...rest,
  };
}

const forged = (webhook = "hook", at_ms = NOW): NewDelivery =>
  delivery({ webhook, at_ms, status: "refused", verified: false });

beforeEach(() => void vi.spyOn(console, "error").mockReturnValue());
afterEach(() => void vi.restoreAllMocks());

describe("DeliveryRecorder", () => {
  test("writes what came together in one message for each log", async () => {
    const { recorder, messages, flush } = world();
    const [a, b, c] = [delivery(), delivery(), delivery({ shard: 2 })];
    for (const each of [a, b, c]) recorder.add(each, utf8(each.id));
    expect(messages).toEqual([]);
    await flush();
    expect(messages.map(({ shard, sent }) => [shard, sent.map(({ delivery: { id } }) => id)])).toEqual([
      [1, [a.id, b.id]],
      [2, [c.id]],
    ]);
    expect(messages[0]!.bodies).toEqual([utf8(a.id), utf8(b.id)]);
  });

  test("keeps what could not be written, and writes it with what came meanwhile", async () => {
    const { recorder, sent, fail, flush } = world();
    const [a, b] = [delivery(), delivery()];
    recorder.add(a, utf8(""));
    fail(true);
    await flush();
    expect(sent()).toEqual([]);
    expect(recorder.unwritten(a.id)).toMatchObject({ head: JSON.stringify(a) });
    recorder.add(b, utf8(""));
    fail(false);
    await flush();
    expect(sent()).toEqual([a.id, b.id]);
    expect(recorder.unwritten(a.id)).toBeUndefined();
  });

  test("begins another flush where one was lost with its request", async () => {
    const { recorder, sent, lose, pass, flush } = world();
    const [a, b, c] = [delivery(), delivery(), delivery()];
    recorder.add(a, utf8(""));
    lose();
    recorder.add(b, utf8(""));
    await flush();
    expect(sent()).toEqual([]);
    pass(10_001);
    recorder.add(c, utf8(""));
    await flush();
    expect(sent()).toEqual([a.id, b.id, c.id]);
  });

  test("keeps what comes while a flush that was taken for lost ends after all", async () => {
    const { recorder, sent, pass, flush } = world();
    const [a, b] = [delivery(), delivery()];
    recorder.add(a, utf8(""));
    pass(10_001);
    recorder.add(b, utf8(""));
    await flush();
    await flush();
    expect(new Set(sent())).toEqual(new Set([a.id, b.id]));
    expect([a, b].map(({ id }) => recorder.unwritten(id))).toEqual([undefined, undefined]);
  });

  test("cuts bodies, those of unverified requests shorter", async () => {
    const { recorder, messages, flush } = world();
    const body = new Uint8Array(LIMITS.deliveryBodyBytes + 1);
    recorder.add(delivery(), body);
    recorder.add(forged(), body);
    await flush();
    expect(messages[0]!.bodies.map((each) => each.byteLength)).toEqual([
      LIMITS.deliveryBodyBytes,
      LIMITS.unverifiedBodyBytes,
    ]);
    // Not a view that holds all of it.
    expect(messages[0]!.bodies[1]!.buffer.byteLength).toBe(LIMITS.unverifiedBodyBytes);
  });

  test("records so many unverified requests a minute for each webhook and counts the others", async () => {
    const { recorder, messages, sent, flush } = world();
    for (let n = 0; n < 1_000; n++) recorder.add(forged(), utf8(""));
    recorder.add(forged("other"), utf8(""));
    const good = delivery();
    recorder.add(good, utf8(""));
    await flush();
    expect(sent()).toHaveLength(LIMITS.unverifiedPerMinute + 2);
    expect(sent()).toContain(good.id);
    const [last, others] = messages[0]!.more[0]!;
    expect(others).toBe(1_000 - LIMITS.unverifiedPerMinute);
    expect(sent()[LIMITS.unverifiedPerMinute - 1]).toBe(last);
    // The next minute has room again; what still comes of the flood is counted with it.
    recorder.add(forged("hook", NOW + 60_000), utf8(""));
    await flush();
    expect(messages.at(-1)).toMatchObject({ sent: [expect.anything()], more: [] });
  });

  test("sends a count with its record or after it, where not all fit into one message", async () => {
    const { recorder, messages, flush } = world();
    for (let n = 0; n < 20; n++) recorder.add(delivery(), new Uint8Array(LIMITS.deliveryBodyBytes));
    for (let n = 0; n < LIMITS.unverifiedPerMinute + 3; n++) recorder.add(forged(), utf8(""));
    await flush();
    expect(messages).toMatchObject([{ more: [] }]);
    await flush();
    expect(messages[1]).toMatchObject({ more: [[messages[1]!.sent.at(-1)!.delivery.id, 3]] });
  });

  test("does not lose counts that could not be written", async () => {
    const { recorder, messages, fail, flush } = world();
    for (let n = 0; n < LIMITS.unverifiedPerMinute + 2; n++) recorder.add(forged(), utf8(""));
    fail(true);
    await flush();
    recorder.add(forged(), utf8(""));
    fail(false);
    await flush();
    expect(messages[0]!.more).toEqual([[expect.any(String), 3]]);
  });

  test("holds no more than so much of what cannot be written", async () => {
    const { recorder, sent, fail, flush } = world();
    fail(true);
    for (let n = 0; n < 300; n++) recorder.add(delivery(), new Uint8Array(LIMITS.deliveryBodyBytes));
    fail(false);
    while (sent().length === 0 || recorder.unwritten(sent().at(-1) ?? "") !== undefined) await flush();
    for (let n = 0; n < 20; n++) await flush();
    expect(sent().length).toBeGreaterThan(100);
    expect(sent().length).toBeLessThan(130);
    expect(console.error).toHaveBeenCalledWith(expect.stringContaining(`${300 - sent().length} deliveries dropped`));
  });
});

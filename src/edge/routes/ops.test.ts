import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import type { DispatchPorts, KeptCall } from "../../dispatch/dispatch.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Platform } from "../context.ts";
import { fakePlatform, ID } from "../_fake-platform.node.ts";

/** The real dispatch over calls that are kept in an array. */
function setUp({ isAsync = true, outcome = undefined as Outcome | undefined, repeated = false } = {}) {
  const fake = fakePlatform();
  const kept: KeptCall[] = [];
  const waits: number[] = [];
  const anything = { schema: true, any: true, check: (value: unknown) => ({ ok: true, value, changed: false }) };
  const operation = { ...fake.state.operation, isAsync, rateLimit: null, input: anything, output: anything };
  const ports: Pick<DispatchPorts, "now"> & { registry: unknown; keeper: DispatchPorts["keeper"] } = {
    registry: { resolve: async () => ({ operation, stale: false }) },
    keeper: {
      async keep(call) {
        kept.push(call);
        return { id: ID, repeated };
      },
      async keepAndWait(call, waitMs) {
        kept.push(call);
        waits.push(waitMs);
        return { kept: { id: ID, repeated }, outcome };
      },
      async outcome(_id, waitMs) {
        waits.push(waitMs);
        return outcome;
      },
      async finish() {},
    },
    now: () => 0,
  };
  (fake.platform as unknown as Pick<Platform, "dispatch">).dispatch = ports as unknown as DispatchPorts;
  const call = async (query = "", headers: Record<string, string> = {}): Promise<Response> =>
    fake.request("POST", `/ops/double${query}`, {
      body: "2",
      headers: { "content-type": "application/json", ...headers },
    });
  return { call, kept, waits, ports };
}

const succeeded: Outcome = { ok: true, output: "4", logs: [] };

describe("POST /ops/:name of an asynchronous call", () => {
  it("answers 202 once it is kept", async () => {
    const { call, kept, waits } = setUp();
    const response = await call();
    expect([response.status, await response.json()]).toEqual([202, { execution_id: ID }]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      location: `/executions/${ID}`,
      "execution-id": ID,
      "operation-revision": "3",
      "content-type": "application/json",
    });
    expect(response.headers.has("preference-applied")).toBe(false);
    expect(response.headers.has("idempotent-replayed")).toBe(false);
    expect([kept.length, waits]).toEqual([1, []]);
  });

  it("hands on what the headers and parameters say", async () => {
    const { call, kept, waits } = setUp({ isAsync: false });
    const response = await call("?delay_ms=1000&expires_ms=0", {
      prefer: "respond-async, wait=5",
      "idempotency-key": '"order-42"',
    });
    expect(response.status).toBe(202);
    expect(response.headers.get("preference-applied")).toBe("respond-async, wait=5");
    expect(kept).toMatchObject([{ mode: "async", idempotencyKey: "order-42", delayMs: 1_000, expiresMs: 0 }]);
    expect(waits).toEqual([5_000]);
  });

  it("answers the bare output when it has ended within the wait", async () => {
    const response = await setUp({ outcome: succeeded }).call("", { prefer: "wait=5" });
    expect([response.status, await response.text()]).toEqual([200, "4"]);
    expect(Object.fromEntries(response.headers)).toMatchObject({ "execution-id": ID, "preference-applied": "wait=5" });
    expect(response.headers.has("location")).toBe(false);
  });

  it("answers the problem when it has failed within the wait", async () => {
    const error = { code: "timeout", detail: "Cannot wait" } as const;
    const { call } = setUp({ outcome: { ok: false, error, retry: { kind: "may" }, logs: [] } });
    const response = await call("", { prefer: "wait=5" });
    expect([response.status, await response.json()]).toEqual([504, expect.objectContaining(error)]);
    expect(response.headers.get("execution-id")).toBe(ID);
  });

  it("says when an Idempotency-Key was used before", async () => {
    const response = await setUp({ repeated: true }).call("", { "idempotency-key": "order-42" });
    expect([response.status, response.headers.get("idempotent-replayed")]).toEqual([202, "true"]);
  });

  it.each([
    ["?delay_ms=-1", {}, "delay_ms"],
    ["?delay_ms=1.5", {}, "delay_ms"],
    ["?delay_ms=", {}, "delay_ms"],
    ["?delay_ms=31622400001", {}, "delay_ms"],
    ["?expires_ms=soon", {}, "expires_ms"],
    ["", { "idempotency-key": "two words" }, "Idempotency-Key"],
    ["?validate=yes", {}, "validate"],
  ])("refuses %s %j", async (query, headers, reason) => {
    const { call, kept } = setUp();
    const response = await call(query, headers);
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: "bad_request", detail: expect.stringContaining(reason) }),
    ]);
    expect(kept).toEqual([]);
  });

  it.each(["queue_full", "idempotency_in_progress", "state_unavailable"] as const)(
    "says with %s when to try again",
    async (code) => {
      const { call, ports } = setUp();
      ports.keeper.keep = async () => {
        throw new SwitchyardError(code, "Cannot keep it");
      };
      expect((await call()).headers.get("retry-after")).toBe("1");
    },
  );
});

describe("POST /ops/:name of a synchronous call", () => {
  it.each(["?delay_ms=0", "?expires_ms=1000"])("refuses %s, which would have no effect", async (query) => {
    const { call, kept } = setUp({ isAsync: false });
    const response = await call(query);
    expect([response.status, kept]).toEqual([400, []]);
  });

  it("answers again what came of the same Idempotency-Key, and follows no preference", async () => {
    const { call } = setUp({ isAsync: false, repeated: true, outcome: succeeded });
    const response = await call("", { "idempotency-key": "order-42", prefer: "wait=5" });
    expect([response.status, await response.text()]).toEqual([200, "4"]);
    expect(response.headers.get("idempotent-replayed")).toBe("true");
    expect(response.headers.has("preference-applied")).toBe(false);
  });

  it("says that the call with the same Idempotency-Key is still running", async () => {
    const response = await setUp({ isAsync: false, repeated: true }).call("", { "idempotency-key": "order-42" });
    expect([response.status, response.headers.get("retry-after")]).toEqual([409, "1"]);
  });

  it("only checks when asked to", async () => {
    const { call, kept } = setUp({ isAsync: false });
    const response = await call("?validate=only", { prefer: "respond-async" });
    expect([response.status, await response.json(), kept]).toEqual([200, { valid: true }, []]);
    expect(response.headers.has("preference-applied")).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { passOnTrace } from "../../core/trace.ts";
import { SwitchyardError, type ErrorCode } from "../../core/errors.ts";
import type { DispatchPorts } from "../../dispatch/dispatch.ts";
import type { NewDelivery } from "../../model/delivery.ts";
import type { TriggerHandle } from "../../model/triggers.ts";
import { Meter } from "../../telemetry/meter.ts";
import { NOW, signedRequest, webhookOf } from "./_test-world.node.ts";
import { receive, type WebhookPorts } from "./receive.ts";

type World = {
  webhook?: TriggerHandle<"webhook">;
  /** Thrown when the row, its secrets, or the operation is asked for. */
  row?: ErrorCode;
  secrets?: ErrorCode;
  operation?: ErrorCode;
};

function world({ webhook = webhookOf({}), ...failing }: World = {}) {
  const records: NewDelivery[] = [];
  const asked: string[] = [];
  const meter = new Meter(() => undefined);
  const fail = (what: "row" | "secrets" | "operation"): void => {
    asked.push(what);
    const code = failing[what];
    if (code !== undefined) throw new SwitchyardError(code, `Cannot read the ${what} at db.internal: it is down`);
  };
  const ports: WebhookPorts = {
    registry: {
      trigger: async (_, name) => (fail("row"), name === "hook" ? webhook : undefined),
      triggerSecrets: async () => (fail("secrets"), ["secret"]),
    },
    dispatch: {
      now: () => NOW,
      telemetry: { meter, tracer: undefined },
      registry: { resolve: async () => (fail("operation"), {}) },
    } as unknown as DispatchPorts,
    record: (delivery) => void records.push(delivery),
    now: () => NOW,
  };
  const trace = { traceparent: passOnTrace(undefined) };
  const send = async (changes: Partial<Parameters<typeof receive>[1]> = {}, name = "hook") => {
    const { body, ...request } = await signedRequest(webhook, { secret: "secret" });
    return receive(name, { ...request, trace, body: async () => body, ...changes }, ports);
  };
  return { records, asked, send, counted: () => meter.take().filter(([instrument]) => instrument === "deliveries") };
}

describe("receive()", () => {
  test.each(["nowhere", "", "UPPER", "a/b", "x".repeat(500), "__proto__"])(
    "of %j answers that there is none, and records nothing",
    async (name) => {
      const { records, send } = world();
      await expect(send({}, name)).rejects.toMatchObject({ code: "entity_not_found" });
      expect(records).toEqual([]);
    },
  );

  test("does not read the body of a request to a webhook that is off", async () => {
    const { records, asked, send } = world({ webhook: webhookOf({ active: false }) });
    const { result } = await send({ body: () => Promise.reject(new Error("it was read")) });
    expect(result).toMatchObject({ kind: "refused", error: { code: "entity_not_found" } });
    expect(records).toMatchObject([{ status: "refused", code: "trigger_inactive", verified: false }]);
    expect(asked).toEqual(["row"]);
  });

  test("starts nothing while the secrets cannot be read, and does not tell strangers of it", async () => {
    const { records, asked, counted, send } = world({ secrets: "secret_unavailable" });
    const { result } = await send();
    expect(result).toMatchObject({ kind: "refused", error: { code: "secret_unavailable" } });
    expect(JSON.stringify(result)).not.toContain("db.internal");
    expect(records).toMatchObject([{ status: "refused", code: "secret_unavailable", verified: false }]);
    expect(records[0]?.detail).toContain("db.internal");
    expect(asked).toEqual(["row", "secrets"]);
    expect(counted()).toEqual([["deliveries", ["refused", "secret_unavailable"], [1]]]);
  });

  test("passes on that the registry does not answer, so that the sender tries again", async () => {
    const { records, send } = world({ row: "registry_unavailable" });
    await expect(send()).rejects.toMatchObject({ code: "registry_unavailable" });
    expect(records).toEqual([]);
    const later = world({ operation: "registry_unavailable" });
    expect((await later.send()).result).toMatchObject({ error: { code: "registry_unavailable" } });
    expect(later.records).toMatchObject([{ status: "failed", code: "registry_unavailable", verified: true }]);
  });

  test.each(["state_unavailable", "queue_full", "operation_not_found"] as const)(
    "records as failed what is verified and ends with %s",
    async (code) => {
      const { records, send } = world({ operation: code });
      expect((await send()).result).toMatchObject({ kind: "refused", error: { code } });
      expect(records).toMatchObject([
        { status: "failed", code, verified: true, execution_id: null, event_id: "msg_1" },
      ]);
    },
  );

  test("records that a body was too large, or broke off", async () => {
    for (const code of ["payload_too_large", "bad_request"] as const) {
      const { records, send } = world();
      const body = async (): Promise<never> => {
        throw new SwitchyardError(code, "Cannot read the body");
      };
      expect((await send({ body })).result).toMatchObject({ error: { code } });
      expect(records).toMatchObject([{ status: "refused", code, verified: false, body_size_bytes: 0 }]);
    }
  });
});

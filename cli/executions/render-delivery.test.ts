import { expect, test } from "vitest";
import type { DeliveryContent } from "../../src/model/delivery.ts";
import { renderDelivery } from "./render-delivery.ts";

const FAILED: DeliveryContent = {
  id: "dl_01_x",
  webhook: "pushes",
  at: "2026-03-01T12:00:00.000Z",
  status: "failed",
  verified: true,
  code: "input_invalid",
  detail: "Cannot call",
  errors: [],
  execution_id: null,
  replay_of: null,
  method: "POST",
  path: "/hooks/pushes",
  headers: {},
  event_id: null,
  signed_at: null,
  body: "{}",
  body_base64: "e30=",
  body_kept: true,
  body_size_bytes: 2,
  others: 0,
};

test.each<[string, boolean, Partial<DeliveryContent>]>([
  ["a failed one", true, {}],
  ["one that was not verified", false, { status: "refused", verified: false, code: "webhook_unverified" }],
  ["one that is not kept whole", false, { body_kept: false }],
  ["one that was accepted", false, { status: "accepted", code: null, detail: null }],
])("renderDelivery() of %s says how it is sent again: %s", (_which, says, more) => {
  expect(renderDelivery({ ...FAILED, ...more }).includes("opctl replay dl_01_x")).toBe(says);
});

import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import { codeOf, endedPlatform, fakePlatform, ID, POST, UNKNOWN_ID, VIEW } from "../_fake-platform.node.ts";

async function replay(body: string, fake = endedPlatform()) {
  const response = await fake.request("POST", `/executions/${ID}/replay`, {
    headers: { ...POST.headers, traceparent: VIEW.traceparent },
    body,
  });
  return { response, calls: fake.calls };
}

describe("POST /executions/:id/replay", () => {
  it.each([
    ["{}", { revision: 3 }, "same"],
    ['{"revision":2}', { revision: 2 }, 2],
    ['{"revision":"latest"}', {}, "latest"],
  ])("%s makes a new execution, if its operation may be called now", async (body, resolved, revision) => {
    const { response, calls } = await replay(body);
    expect([response.status, await response.json()]).toEqual([202, { execution_id: UNKNOWN_ID }]);
    expect(response.headers.get("location")).toBe(`/executions/${UNKNOWN_ID}`);
    expect(response.headers.get("execution-id")).toBe(UNKNOWN_ID);
    expect(calls).toEqual([
      ["resolve", "double", resolved],
      [
        "replay",
        {
          revision,
          principal: expect.objectContaining({ id: "owner" }),
          traceparent: expect.stringMatching(`^00-${"1".repeat(32)}-`),
        },
      ],
    ]);
  });

  it.each(['{"revision":0}', '{"revision":1.5}', '{"revision":"3"}', '{"revision":null}', '{"rev":3}', "[]", "null"])(
    "refuses %s",
    async (body) => {
      const { response, calls } = await replay(body);
      expect([response.status, await codeOf(response), calls]).toEqual([400, "bad_request", []]);
    },
  );

  it.each([
    [{ group: "elsewhere" }, 403, "forbidden"],
    [{ active: false }, 409, "operation_inactive"],
  ])("refuses an operation that may not be called now: %j", async (changes, status, code) => {
    const fake = endedPlatform();
    Object.assign(fake.state.operation, changes);
    const { response, calls } = await replay("{}", fake);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
    expect(calls.map(([name]) => name)).toEqual(["resolve"]);
  });
});

it("POST /executions/:id/cancel answers the record, or why it cannot be", async () => {
  const fake = fakePlatform();
  const response = await fake.request("POST", `/executions/${ID}/cancel`);
  expect([response.status, await response.json()]).toEqual([200, { ...VIEW, status: "cancelled" }]);
  fake.platform.executions.cancel = async () => {
    throw new SwitchyardError("execution_final", "Cannot cancel");
  };
  expect((await fake.request("POST", `/executions/${ID}/cancel`)).status).toBe(409);
});

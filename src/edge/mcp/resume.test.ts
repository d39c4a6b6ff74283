import { describe, expect, test } from "vitest";
import type { Identity, Platform } from "../context.ts";
import { VIEW } from "../_fake-platform.node.ts";
import { firstEvent, resume, type Answered } from "./resume.ts";

const ID = VIEW.id;
const OWNER: Identity = {
  principal: { id: VIEW.principal, name: "owner", scopes: ["ops:invoke"] },
  caller: { type: "token", id: VIEW.principal },
  depth: 0,
};
const ANY = { schema: true, any: true, check: (value: unknown) => ({ ok: true, value, changed: false }) };

function platformWith(status: "succeeded" | "dead") {
  const view = { ...VIEW, status, error: status === "dead" ? { code: "timeout", detail: "too slow" } : null };
  return {
    executions: {
      find: async (id: string) => (id === ID ? view : undefined),
      watch: async () => ({ version: 7, view, logs: [] }),
      output: async () => "[1,2]",
    },
    registry: { resolve: async () => ({ operation: { input: ANY, output: ANY, batch: false }, stale: false }) },
    dispatch: { now: () => 0 },
    background: () => undefined,
  } as unknown as Platform;
}

const eventIdOf = (request: Answered): string => /^id: (\S+)\n/.exec(firstEvent(ID, request) ?? "")?.[1] ?? "";
const signal = new AbortController().signal;

describe("resume()", () => {
  test.each<[string, Answered]>([
    ["a number", { id: 1, progressToken: undefined }],
    ["text of any kind", { id: 'ä "\n 😀/', progressToken: "p/1" }],
    ["nothing", { id: "", progressToken: 0 }],
  ])("answers the request that the event stood for, whose id is %s", async (_what, request) => {
    const eventId = eventIdOf(request);
    const { response, executionId, id } = await resume(eventId, { identity: OWNER, signal }, platformWith("succeeded"));
    expect([executionId, id]).toEqual([ID, request.id]);
    const [first, last] = (await response.text()).split("\n\n");
    expect(first).toBe(`id: ${eventId}\nretry: 1000\ndata: `);
    expect(JSON.parse(last?.replace("event: message\ndata: ", "") ?? "")).toMatchObject({
      jsonrpc: "2.0",
      id: request.id,
      result: { structuredContent: { output: [1, 2] } },
    });
  });

  test("answers with the error of what failed meanwhile", async () => {
    const eventId = eventIdOf({ id: 1, progressToken: undefined });
    const { response } = await resume(eventId, { identity: OWNER, signal }, platformWith("dead"));
    expect(await response.text()).toContain('"isError":true');
  });

  test("is for whoever called, also where others may read", async () => {
    const stranger: Identity = { ...OWNER, principal: { id: "other", name: "other", scopes: ["admin"] } };
    const resuming = resume(
      eventIdOf({ id: 1, progressToken: 1 }),
      { identity: stranger, signal },
      platformWith("dead"),
    );
    await expect(resuming).rejects.toMatchObject({ code: "entity_not_found" });
  });

  test.each([
    "",
    "1-2",
    ID,
    `${ID}/`,
    `${ID}/%5B1`,
    `${ID}/%5B%7B%7D%2Cnull%5D`,
    `${ID}/%`,
    `${ID}/%5B1%2C%7B%7D%5D`,
    `${ID}/null`,
  ])("refuses %j", async (text) => {
    const resuming = resume(text, { identity: OWNER, signal }, platformWith("dead"));
    await expect(resuming).rejects.toMatchObject({ code: "bad_request" });
  });

  test("is not offered to a client whose own ids are too long for it", () => {
    expect(firstEvent(ID, { id: "x".repeat(2_000), progressToken: undefined })).toBeUndefined();
  });
});

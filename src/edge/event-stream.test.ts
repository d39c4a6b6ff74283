import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../core/errors.ts";
import type { ExecutionStatus } from "../model/execution.ts";
import type { Watched } from "../executions/port.ts";
import { fakePlatform, ID, line, VIEW } from "./_fake-platform.node.ts";

const told = (version: number, status: ExecutionStatus, ...seqs: number[]): Watched => ({
  version,
  view: { ...VIEW, status },
  logs: seqs.map(line),
});

/** The stream's text as a list of `id event` and comments, as the WHATWG's parser would see its blocks. */
function blocksOf(text: string): string[] {
  expect(text.endsWith("\n\n")).toBe(true);
  return text
    .slice(0, -2)
    .split("\n\n")
    .map((block) => {
      const [id, event, data] = ["id", "event", "data"].map(
        (name) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1],
      );
      if (data === undefined) return block;
      const value = JSON.parse(data) as { status?: string; seq?: number };
      return `${id} ${event} ${event === "state" ? value.status : value.seq}`;
    });
}

async function events(
  watched: (Watched | undefined | Error)[],
  headers: Record<string, string> = {},
  status?: ExecutionStatus,
) {
  const fake = fakePlatform();
  fake.state.watched = watched;
  if (status !== undefined) fake.state.view = { ...VIEW, status };
  const response = await fake.request("GET", `/executions/${ID}/events`, { headers });
  const text = await response.text();
  return { response, text, calls: fake.calls, left: fake.state.watched };
}

describe("GET /executions/:id/events", () => {
  it("tells each state and each line with an id to go on from, and ends after the last state", async () => {
    const { response, text, calls } = await events([
      told(1, "queued"),
      told(2, "running", 1_000),
      told(2, "running"),
      told(2, "running", 1_001, 1_002),
      told(3, "retrying", 1_003),
      told(5, "succeeded", 2_000, 2_001),
      told(5, "succeeded", 2_002),
      told(5, "succeeded"),
    ]);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    });
    expect(blocksOf(text)).toEqual([
      "retry: 1000",
      "1-0 state queued",
      "2-0 state running",
      "2-1000 log 1000",
      ": keep-alive",
      "2-1001 log 1001",
      "2-1002 log 1002",
      "2-1003 log 1003",
      "3-1003 state retrying",
      "3-2000 log 2000",
      "3-2001 log 2001",
      "3-2002 log 2002",
      "5-2002 state succeeded",
    ]);
    expect(calls).toEqual(
      [
        [0, 0],
        [1, 0],
        [2, 1_000],
        [2, 1_000],
        [2, 1_002],
        [3, 1_003],
        [3, 2_001],
        [3, 2_002],
      ].map(([version, afterLog]) => ["watch", { version, afterLog, waitMs: 20_000 }]),
    );
  });

  it.each(["succeeded", "failed", "dead", "cancelled", "expired"] as const)("ends with %s", async (status) => {
    const { text, left } = await events([told(7, status), told(8, status)]);
    expect(blocksOf(text)).toEqual(["retry: 1000", `7-0 state ${status}`]);
    expect(left).toHaveLength(1);
  });

  it("goes on from Last-Event-ID, wherever the connection was lost", async () => {
    // All that a client can have seen, told again from each of its events on: nothing is missing and nothing comes twice.
    const whole = ["1-0 state queued", "2-0 state running", "2-1000 log 1000", "2-1001 log 1001", "3-1001 state dead"];
    for (const [at, seen] of whole.slice(0, -1).entries()) {
      const [version = 0, afterLog = 0] = (seen.split(" ")[0] ?? "").split("-").map(Number);
      const logs = [1_000, 1_001].filter((seq) => seq > afterLog);
      const { text, calls } = await events(
        version < 2
          ? [told(2, "running", ...logs), told(3, "dead")]
          : logs.length > 0
            ? [told(2, "running", ...logs), told(3, "dead")]
            : [told(3, "dead")],
        { "last-event-id": `${version}-${afterLog}` },
      );
      expect(calls[0]).toEqual(["watch", { version, afterLog, waitMs: 20_000 }]);
      expect(blocksOf(text)).toEqual(["retry: 1000", ...whole.slice(at + 1)]);
    }
  });

  it("tells a client that comes back after the end that there is no more", async () => {
    const over = await events([told(3, "dead")], { "last-event-id": "3-1001" }, "dead");
    expect([over.response.status, over.text]).toEqual([204, ""]);
    expect(over.calls).toEqual([["watch", { version: 3, afterLog: 1_001, waitMs: 0 }]]);
    const missed = await events([told(3, "dead"), told(3, "dead")], { "last-event-id": "2-1001" }, "dead");
    expect(blocksOf(missed.text)).toEqual(["retry: 1000", "3-1001 state dead"]);
    const lines = await events(
      [told(3, "dead", 1_002), told(3, "dead", 1_002), told(3, "dead")],
      { "last-event-id": "3-1001" },
      "dead",
    );
    expect(blocksOf(lines.text)).toEqual(["retry: 1000", "3-1002 log 1002"]);
  });

  it.each(["", "3", "3-", "-3", "a-b", "3-4-5", "1.5-2", " 3 - 4", "9".repeat(16) + "-1"])(
    "refuses the Last-Event-ID %j",
    async (lastEventId) => {
      const { response, text, calls } = await events([], { "last-event-id": lastEventId });
      expect([response.status, JSON.parse(text).code]).toEqual([400, "bad_request"]);
      expect(calls).toEqual([]);
    },
  );

  it("ends without a final state when the execution is not kept any more, or cannot be read", async () => {
    const gone = await events([told(1, "queued"), undefined]);
    expect(blocksOf(gone.text)).toEqual(["retry: 1000", "1-0 state queued"]);
    const lost = await events([told(1, "queued"), new SwitchyardError("state_unavailable", "Cannot read")]);
    expect(blocksOf(lost.text)).toEqual(["retry: 1000", "1-0 state queued", ": interrupted by state_unavailable"]);
  });

  it("asks for nothing until it is read, and no more once the client is gone", async () => {
    const fake = fakePlatform();
    const { promise, resolve } = Promise.withResolvers<Watched>();
    fake.state.watched = [told(1, "queued"), promise, told(3, "succeeded")];
    const response = await fake.request("GET", `/executions/${ID}/events`);
    const reader = response.body!.getReader();
    await reader.read();
    expect(fake.calls).toEqual([]);
    await reader.read();
    const pending = reader.read();
    await new Promise(setImmediate);
    expect(fake.calls).toHaveLength(2);
    await reader.cancel();
    resolve(told(2, "running", 1_000));
    expect(await pending).toMatchObject({ done: true });
    await new Promise(setImmediate);
    expect(fake.calls).toHaveLength(2);
    expect(fake.state.watched).toHaveLength(1);
  });

  it.each([
    ["text/event-stream", 200],
    ["text/*", 200],
    ["*/*", 200],
    ["application/json, text/event-stream;q=0.5", 200],
    ["application/json", 406],
    ["text/event-stream;q=0", 406],
  ])("to Accept: %s answers %i", async (accept, status) => {
    const { response } = await events([told(1, "dead")], { accept });
    expect(response.status).toBe(status);
  });
});

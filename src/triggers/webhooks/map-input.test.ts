import { describe, expect, test } from "vitest";
import { NOW, webhookOf } from "./_test-world.node.ts";
import { mapInput, type Delivered } from "./map-input.ts";
import { utf8 } from "./schemes/scheme.ts";

function delivered(row: Record<string, unknown>, changes: Partial<Delivered> & { text?: string } = {}): Delivered {
  const { text = '{"ref":"refs/heads/main","n":2}', ...rest } = changes;
  return {
    webhook: webhookOf(row),
    method: "POST",
    path: "/hooks/hook?a=1&a=2&b=x",
    headers: { "content-type": "application/json", "x-github-event": "push" },
    body: utf8(text),
    id: "guid-1",
    timestampMs: undefined,
    signed: undefined,
    ...rest,
  };
}

async function keyOf(row: Record<string, unknown>, changes: Partial<Delivered> & { text?: string } = {}) {
  const mapped = await mapInput(delivered(row, changes));
  return mapped.kind === "input" ? mapped.dedupe : mapped;
}

describe("mapInput()", () => {
  test("gives the body as it came, without a mapping", async () => {
    const mapped = await mapInput(delivered({}, { text: '{ "n": 1 }' }));
    expect(mapped).toEqual({ kind: "input", input: { value: { n: 1 }, text: '{ "n": 1 }' }, dedupe: "id:guid-1" });
  });

  test("shows a mapping the whole request", async () => {
    const seen = "{'all': $}";
    const event = { "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/s", "ce-type": "t" };
    const mapped = await mapInput(
      delivered(
        { mapping: seen },
        { timestampMs: NOW, headers: { "content-type": "text/plain", ...event }, text: "x" },
      ),
    );
    expect(mapped).toMatchObject({
      input: {
        value: {
          all: {
            body: "x",
            headers: { "content-type": "text/plain", ...event },
            query: { a: ["1", "2"], b: "x" },
            method: "POST",
            path: "/hooks/hook",
            webhook: "hook",
            id: "guid-1",
            timestamp: new Date(NOW).toISOString(),
            event: { id: "7", source: "/s", type: "t" },
          },
        },
      },
    });
  });

  test.each([
    ["nothing", "body.absent", "expression_failed"],
    ["an error", "$error('no')", "expression_failed"],
    ["a function", "function($x) { $x }", "expression_failed"],
    ["no end", "($f := function($x) { $f($x) }; $f(1))", "expression_limit"],
    ["too much", "[1..9999999]", "expression_limit"],
    ["an error of types", "body.ref + 1", "expression_failed"],
  ])("refuses a mapping that gives %s", async (_, mapping, code) => {
    await expect(mapInput(delivered({ mapping }))).rejects.toMatchObject({ code });
  });

  test("answers the question whether somebody is there only for the scheme that asks it", async () => {
    const text = '{"type":"url_verification","challenge":"abc"}';
    expect(await mapInput(delivered({ scheme: "slack" }, { text }))).toEqual({ kind: "handshake", challenge: "abc" });
    expect(await mapInput(delivered({ scheme: "github" }, { text }))).toMatchObject({ kind: "input" });
  });
});

describe("what deliveries of one event have in common", () => {
  const signed = utf8("1.body");
  const cloud = '{"specversion":"1.0","id":"7","source":"/s","type":"t"}';
  const inBody = { "content-type": "application/cloudevents+json" };
  const inHeaders = { "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/s", "ce-type": "t" };

  test.each<[string, Record<string, unknown>, Partial<Delivered> & { text?: string }, string | undefined]>([
    ["the scheme's own id", { scheme: "standard" }, { id: "msg_1", signed }, "id:msg_1"],
    ["the event in the body", { scheme: "stripe" }, { id: undefined, signed, text: '{"id":"evt_1"}' }, "event:evt_1"],
    ["Slack's event", { scheme: "slack" }, { id: undefined, signed, text: '{"event_id":"Ev1"}' }, "event:Ev1"],
    ["a structured CloudEvent", {}, { id: undefined, signed, headers: inBody, text: cloud }, 'cloudevent:["/s","7"]'],
    ["a binary CloudEvent", {}, { id: undefined, headers: inHeaders, text: "" }, 'cloudevent:["/s","7"]'],
    ["nothing, where nobody says", {}, { id: undefined }, undefined],
    ["the row's expression", { dedupe: "body.ref" }, {}, 'own:"refs/heads/main"'],
    ["a number of it", { dedupe: "body.n" }, {}, "own:2"],
    ["a list of it", { dedupe: "[body.n, headers.`x-github-event`]" }, {}, 'own:[2,"push"]'],
    ["nothing, where it says so", { dedupe: "body.absent ?? null" }, {}, undefined],
  ])("is %s", async (_, row, changes, key) => {
    expect(await keyOf(row, changes)).toBe(key);
  });

  test("is all that was signed, where a time is part of it, before headers that nobody signed", async () => {
    const key = await keyOf({}, { id: undefined, signed, headers: inHeaders, text: "" });
    expect(key).toMatch(/^signed:[0-9a-f]{64}$/);
    expect(await keyOf({}, { id: undefined, signed: utf8("2.body") })).not.toBe(key);
  });

  test("is asked for, where the row has an expression that finds none", async () => {
    await expect(keyOf({ dedupe: "body.absent" })).rejects.toMatchObject({ code: "expression_failed" });
  });

  test("is its hash where it is long", async () => {
    expect(await keyOf({ dedupe: "$pad(body.ref, 400)" })).toMatch(/^own:[0-9a-f]{64}$/);
  });
});

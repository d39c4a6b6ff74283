import { describe, expect, test } from "vitest";
import type { WebhookScheme } from "../../model/triggers.ts";
import { readBody } from "./read-body.ts";
import { utf8 } from "./schemes/scheme.ts";

const EVENT = { specversion: "1.0", id: "7", source: "/shop", type: "order.paid" };

function read(
  type: string | undefined,
  body: string | Uint8Array<ArrayBuffer>,
  { headers = {}, scheme = "hmac" }: { headers?: Record<string, string>; scheme?: WebhookScheme } = {},
) {
  return readBody({
    headers: { ...headers, ...(type === undefined ? {} : { "content-type": type }) },
    body: typeof body === "string" ? utf8(body) : body,
    scheme,
  });
}

describe("readBody()", () => {
  test.each<[string | undefined, string, unknown]>([
    ["application/json", '{"a": 1}', { a: 1 }],
    ["Application/JSON; charset=UTF-8", "[1]", [1]],
    ["application/vnd.github+json", '"x"', "x"],
    ["application/json", "", null],
    [undefined, "", null],
    ["application/x-www-form-urlencoded", "a=1&b=2&b=3&c=%C3%BC+x", { a: "1", b: ["2", "3"], c: "ü x" }],
    ["application/x-www-form-urlencoded", "payload=%7B%7D", { payload: "{}" }],
    ["text/plain", "hello", "hello"],
    ["text/xml", "<a/>", "<a/>"],
    ["application/soap+xml", "<a/>", "<a/>"],
    [undefined, '{"a":1}', '{"a":1}'],
  ])("of %s says what %s means", (type, body, value) => {
    const { body: found, event } = read(type, body);
    expect(found.value).toEqual(value);
    expect(JSON.parse(found.text)).toEqual(value);
    expect(event).toBeUndefined();
  });

  test("keeps the text of JSON as it came", () => {
    expect(read("application/json", '{ "a":1e0 }').body.text).toBe('{ "a":1e0 }');
  });

  test.each(["github", "slack"] as const)("takes the JSON out of the form that %s sends", (scheme) => {
    const form = new URLSearchParams({ payload: '{"ref":"main"}' }).toString();
    expect(read("application/x-www-form-urlencoded", form, { scheme }).body.value).toEqual({ ref: "main" });
  });

  test.each<[string, string | Uint8Array<ArrayBuffer>, string, Record<string, string>?]>([
    ["application/json", '------x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n------x--', "malformed_json"],
    ["multipart/form-data; boundary=x", '{"a":1}', "unsupported_media_type"],
    ["application/octet-stream", "x", "unsupported_media_type"],
    ["application/json, application/json", "{}", "unsupported_media_type"],
    ["application/json; charset=latin1", "{}", "unsupported_media_type"],
    ["application/json", "{}", "unsupported_media_type", { "content-encoding": "gzip" }],
    ["application/json", '{"a":1', "malformed_json"],
    ["application/json", '{"a":1,"a":2}', "duplicate_key"],
    ["application/json", '{"__proto__":{}}', "forbidden_key"],
    ["application/x-www-form-urlencoded", "__proto__=1", "forbidden_key"],
    ["application/json", new Uint8Array([0x22, 0xff, 0x22]), "invalid_utf8"],
    ["text/plain", new Uint8Array([0xff]), "invalid_utf8"],
    ["application/x-www-form-urlencoded", new Uint8Array([0xff]), "invalid_utf8"],
    ["application/json", "[".repeat(100), "input_too_deep"],
    ["application/cloudevents-batch+json", "[]", "unsupported_media_type"],
    ["application/cloudevents+json", "[]", "bad_request"],
    ["application/cloudevents+json", JSON.stringify({ ...EVENT, id: "" }), "bad_request"],
    ["application/cloudevents+json", JSON.stringify({ ...EVENT, specversion: "0.3" }), "bad_request"],
    ["application/json", "{}", "bad_request", { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/" }],
    [
      "application/json",
      "{}",
      "bad_request",
      { "ce-specversion": "1.0", "ce-id": "%ZZ", "ce-source": "/", "ce-type": "t" },
    ],
  ])("of %s refuses %s: %s", (type, body, code, headers = {}) => {
    expect(() => read(type, body, { headers })).toThrow(expect.objectContaining({ code }));
  });

  test("of a structured CloudEvent is its data, and the attributes beside it", () => {
    const sent = { ...EVENT, datacontenttype: "application/json", tenant: "a", data: { total: 3 } };
    const { data, ...event } = sent;
    expect(read("application/cloudevents+json; charset=utf-8", JSON.stringify(sent))).toEqual({
      body: { value: data, text: '{"total":3}' },
      event,
      eventInBody: true,
    });
    expect(read("application/cloudevents+json", JSON.stringify(EVENT)).body.value).toBeNull();
    const binary = { ...EVENT, data_base64: "AQI=" };
    expect(read("application/cloudevents+json", JSON.stringify(binary)).body.value).toBe("AQI=");
  });

  test("of a binary CloudEvent is the body, and the attributes from its headers", () => {
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": "7",
      "ce-source": "/shop",
      "ce-type": "t",
      "ce-who": "Euro%20%E2%82%AC",
    };
    expect(read("application/json", '{"total":3}', { headers })).toEqual({
      body: { value: { total: 3 }, text: '{"total":3}' },
      event: {
        specversion: "1.0",
        id: "7",
        source: "/shop",
        type: "t",
        who: "Euro €",
        datacontenttype: "application/json",
      },
    });
  });
});

test("a form of very many fields is read in one pass", () => {
  const form = Array.from({ length: 90_000 }, (_, n) => `f${n}=1`).join("&");
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const { body } = readBody({ headers, body: utf8(form), scheme: "none" });
  expect(Object.keys(body.value as object)).toHaveLength(90_000);
});

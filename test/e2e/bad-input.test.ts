/** Garbage over HTTP: each gets a clear problem with its code, and the platform goes on. */
import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, type Dev } from "./_platform.ts";

let dev: Dev;

beforeAll(async () => {
  dev = await startDev();
  await install(dev, "identity", "export function identity(input) { return input; }");
  await install(
    dev,
    "broken",
    `export function broken({ how }) {
       const circle = {}; circle.self = circle;
       const answers = { undefined: undefined, bigint: 1n, nested_bigint: { a: [1n] }, cyclic: circle, nan: NaN, function: () => 1,
         map: new Map([[1, 2]]), symbol: Symbol("x"), deep: deep(100), wrong: { n: "text" }, fine: { n: 1 } };
       if (how === "throw") throw new Error("as told");
       if (how === "throw_null") throw null;
       if (how === "throw_string") throw "a string";
       if (how === "reject") return Promise.reject(new TypeError("rejected"));
       if (how === "never") return new Promise(() => {});
       if (how === "eval") return eval("1 + 1");
       if (how === "function_constructor") return new Function("return 1")();
       return answers[how];
     }
     function deep(n) { let value = 1; while (n--) value = [value]; return value; }`,
    { timeout_ms: 500, output_type: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } },
  );
});
afterAll(() => dev.stop());

async function post(body: string | Uint8Array, headers: Record<string, string> = {}, target = "/ops/identity") {
  const response = await dev.request(target, {
    method: "POST",
    body: body as never,
    headers: { "content-type": "application/json", ...headers },
  });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    body: (await response.json()) as Record<string, unknown>,
  };
}

describe("POST /ops/:name refuses", () => {
  const cases: [string, string | Uint8Array, number, string][] = [
    ["malformed JSON", '{"a":', 400, "malformed_json"],
    ["an empty body", "", 400, "malformed_json"],
    ["two values", "1 2", 400, "malformed_json"],
    ["invalid UTF-8", new Uint8Array([0x22, 0xff, 0xfe, 0x22]), 400, "invalid_utf8"],
    ["duplicate keys", '{"a":1,"b":{"a":2,"a":3}}', 400, "duplicate_key"],
    ["duplicate keys written differently", '{"a":1,"\\u0061":2}', 400, "duplicate_key"],
    ["__proto__ keys", '{"x":{"__proto__":{"admin":true}}}', 400, "forbidden_key"],
    ["depth 200,000", "[".repeat(200_000) + "]".repeat(200_000), 422, "input_too_deep"],
    ["too many values", `[${"1,".repeat(150_000)}1]`, 422, "input_too_complex"],
  ];
  it.each(cases)("%s", async (_, body, status, code) => {
    const answer = await post(body);
    expect(answer).toMatchObject({ status, type: "application/problem+json", body: { code, status } });
    expect(answer.body["detail"]).toMatch(/^Cannot /);
  });

  it("a wrong or missing content type", async () => {
    expect(await post("{}", { "content-type": "text/plain" })).toMatchObject({
      status: 415,
      body: { code: "unsupported_media_type" },
    });
    const bytes = await dev.request("/ops/identity", {
      method: "POST",
      body: new Uint8Array([123, 125]),
      headers: { "content-type": "" },
    });
    expect(bytes.status).toBe(415);
  });

  it("an Accept header that JSON cannot meet", async () => {
    expect(await post("{}", { accept: "text/html" })).toMatchObject({ status: 406, body: { code: "not_acceptable" } });
  });

  it("an Idempotency-Key that is none", async () => {
    for (const key of ["", "k".repeat(256), "order\u00a742"]) {
      expect(await post("{}", { "idempotency-key": key })).toMatchObject({
        status: 400,
        body: { code: "bad_request" },
      });
    }
  });

  it("a body of 100 MiB by its declared length, before reading it", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = http.request(`${dev.url}/ops/identity`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${dev.token}`,
          "content-type": "application/json",
          "content-length": 100 * 2 ** 20,
        },
      });
      request.on("response", (response) => {
        resolve(response.statusCode);
        request.destroy();
      });
      request.on("error", reject);
      request.flushHeaders();
    });
    expect(status).toBe(413);
  });

  it("a body of 100 MiB without a length, counted as it comes", async () => {
    let sent = 0;
    const status = await new Promise<number | undefined>((resolve) => {
      const request = http.request(`${dev.url}/ops/identity`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${dev.token}`,
          "content-type": "application/json",
          "transfer-encoding": "chunked",
        },
      });
      const chunk = Buffer.alloc(2 ** 20, 0x20);
      const pump = (): void => {
        while (sent < 100 * 2 ** 20) {
          sent += chunk.length;
          if (!request.write(chunk)) return;
        }
        request.end();
      };
      request.on("drain", pump);
      request.on("response", (response) => {
        resolve(response.statusCode);
        request.destroy();
      });
      request.on("error", () => undefined);
      pump();
    });
    expect(status).toBe(413);
  });

  it("an unknown operation, naming the nearest", async () => {
    const answer = await post("{}", {}, "/ops/identiti");
    expect(answer).toMatchObject({ status: 404, body: { code: "operation_not_found" } });
    expect(JSON.stringify(answer.body)).toContain("identity");
  });

  it("a name that is no name, an unknown revision, an unknown route, a wrong method", async () => {
    expect(await post("{}", {}, "/ops/No%20Name")).toMatchObject({
      status: 404,
      body: { code: "operation_not_found" },
    });
    expect(await post("{}", {}, "/ops/identity@99")).toMatchObject({ status: 404 });
    expect(await post("{}", {}, "/nothing/here")).toMatchObject({ status: 404, body: { code: "route_not_found" } });
    const deleted = await dev.request("/ops/identity", { method: "DELETE" });
    expect([deleted.status, deleted.headers.get("allow")]).toEqual([405, "POST, GET"]);
  });

  it("an inactive operation", async () => {
    await install(dev, "sleeping", "export function sleeping() { return 1; }", { active: false });
    expect(await post("{}", {}, "/ops/sleeping")).toMatchObject({ status: 409, body: { code: "operation_inactive" } });
  });
});

describe("a handler that misbehaves", () => {
  const cases: [string, number, string][] = [
    ["throw", 502, "implementation_failed"],
    ["throw_null", 502, "implementation_failed"],
    ["throw_string", 502, "implementation_failed"],
    ["reject", 502, "implementation_failed"],
    ["eval", 502, "implementation_failed"],
    ["function_constructor", 502, "implementation_failed"],
    ["undefined", 502, "output_not_json"],
    ["bigint", 502, "output_not_json"],
    ["nested_bigint", 502, "output_not_json"],
    ["cyclic", 502, "output_not_json"],
    ["nan", 502, "output_not_json"],
    ["function", 502, "output_not_json"],
    ["map", 502, "output_not_json"],
    ["symbol", 502, "output_not_json"],
    ["deep", 502, "output_not_json"],
    ["wrong", 502, "output_invalid"],
    ["never", 504, "timeout"],
  ];
  it.each(cases)("%s → %i %s", async (how, status, code) => {
    expect(await dev.call("broken", { how })).toMatchObject({ status, body: { code } });
    expect(await dev.call("broken", { how: "fine" })).toMatchObject({ status: 200, body: { n: 1 } });
  });

  it("is recorded with its error", async () => {
    const { headers } = await dev.call("broken", { how: "throw" });
    const record = await (await dev.request(`/executions/${headers.get("execution-id")}`)).json();
    expect(record).toMatchObject({ status: "failed", error: { code: "implementation_failed" } });
  });
});

describe("POST /ops/:name", () => {
  it("?validate=only checks and does not run", async () => {
    expect(await post('{"how":"throw"}', {}, "/ops/broken?validate=only")).toMatchObject({
      status: 200,
      body: { valid: true },
    });
  });

  it("carries traceparent through", async () => {
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const response = await dev.request("/ops/identity", {
      method: "POST",
      body: "{}",
      headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` },
    });
    expect(response.headers.get("traceparent")).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  });

  it("runs a pinned revision as it was", async () => {
    await install(dev, "pinned", "export function pinned() { return 'one'; }");
    await install(dev, "pinned", "export function pinned() { return 'two'; }");
    expect(await dev.call("pinned@1", {})).toMatchObject({ body: "one" });
    expect(await dev.call("pinned", {})).toMatchObject({ body: "two" });
  });
});

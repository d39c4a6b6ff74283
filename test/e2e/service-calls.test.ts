/** Operations that a service provides, called in every way that operations are, on the real platform before a real server. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accepted, ended, listed } from "./_executions.ts";
import { startDev, type Dev } from "./_platform.ts";
import { put } from "./_services.ts";

type Came = { method: string; url: string; headers: IncomingMessage["headers"]; body: string };

let dev: Dev;
let server: Server;
let came: Came[] = [];

/** /api/echo answers what came, /api/status/N that status with a problem, /api/text a text, /api/flaky fails every first time. */
function answer(request: Came): { status: number; type: string; body: string } {
  const { pathname } = new URL(request.url, "http://x");
  const [, , what, detail] = pathname.split("/");
  switch (what) {
    case "status":
      return { status: Number(detail), type: "application/problem+json", body: `{"detail":"it answers ${detail}"}` };
    case "text":
      return { status: 200, type: "text/plain", body: "hello" };
    case "health":
      return { status: 200, type: "text/plain", body: "ok" };
    default:
      return { status: 200, type: "application/json", body: JSON.stringify({ ...request, headers: undefined }) };
  }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, url, headers, body };
      // Whoever looks whether it is healthy is no call.
      if (url.startsWith("/api/")) came.push(one);
      const { status, type, body: text } = answer(one);
      response.writeHead(status, { "content-type": type }).end(text);
    });
  }).listen(0, "127.0.0.1");
  dev = await startDev();
  await put(dev, "/registry/environments/beside", { adapter: "http", config: { network: "private" } });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await put(dev, "/registry/services/echo", { environment: "beside", run: { address }, health: { path: "/health" } });
  await put(dev, "/registry/exposures/echo_v1", { service: "echo", base_path: "/api" });
  const provided = (name: string, provided_by: object, more: object = {}): Promise<void> =>
    put(dev, `/registry/operations/${name}`, { provided_by: { exposure: "echo_v1", ...provided_by }, ...more });
  await provided("echo_get", { method: "GET", path: "/echo/{id}", headers: { "X-Tenant": "tenant" } });
  await provided("echo_post", { method: "POST", path: "/echo/{id}", query: ["dry"] });
  await provided("echo_text", { method: "GET", path: "/text" }, { output_type: { type: "string" } });
  await provided("echo_status", { method: "GET", path: "/status/{status}" });
  await provided("echo_async", { method: "POST", path: "/echo" }, { is_async: true });
  await provided("echo_batch", { method: "POST", path: "/echo" }, { batch: true });
});
afterAll(async () => {
  await dev.stop();
  server.closeAllConnections();
  server.close();
});

describe("an operation that a service provides", () => {
  test("is the request of its row, whatever the values are", async () => {
    came = [];
    const { status, body } = await dev.call("echo_get", { id: "../a b?", tag: ["x", "y&z"], tenant: "acme" });
    expect([status, body]).toEqual([200, { method: "GET", url: "/api/echo/..%2Fa%20b%3F?tag=x&tag=y%26z", body: "" }]);
    expect(came).toHaveLength(1);
    expect(came[0]?.headers).toMatchObject({
      "x-tenant": "acme",
      "switchyard-attempt": "1",
      "switchyard-execution-id": expect.stringMatching(/^ex_/) as string,
      traceparent: expect.any(String) as string,
    });
    expect(await dev.call("echo_post", { id: 7, dry: true, title: "ü" })).toMatchObject({
      body: { method: "POST", url: "/api/echo/7?dry=true", body: '{"title":"ü"}' },
    });
    expect((await dev.call("echo_text", {})).body).toBe("hello");
  });

  test.each([
    [{ id: "" }, 422, "input_invalid"],
    [{}, 422, "input_invalid"],
    [{ id: ".." }, 422, "input_invalid"],
    [{ id: 1, tenant: "a\r\nb: c" }, 422, "input_invalid"],
  ])("refuses %j before anything is sent", async (input, status, code) => {
    came = [];
    expect(await dev.call("echo_get", input)).toMatchObject({ status, body: { code } });
    expect(came).toEqual([]);
  });

  test.each([
    [404, 502, "implementation_failed"],
    [422, 502, "implementation_failed"],
    [500, 502, "implementation_failed"],
    [429, 503, "environment_throttled"],
  ])("that is answered %i fails with %i %s in the service's own words", async (answered, status, code) => {
    const { body, status: got } = await dev.call("echo_status", { status: answered });
    expect([got, body]).toMatchObject([
      status,
      { code, detail: expect.stringContaining(`it answers ${answered}`) as string },
    ]);
  });

  test("runs later, under the key of its execution", async () => {
    came = [];
    const id = await accepted(dev, "echo_async", { a: 1 });
    expect(await ended(dev, id)).toMatchObject({ status: "succeeded" });
    expect(came).toMatchObject([{ url: "/api/echo", body: '{"a":1}', headers: { "idempotency-key": id } }]);
  });

  test("takes a batch, each item a request", async () => {
    came = [];
    const { body } = await dev.call("echo_batch", [{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(JSON.stringify(body)).toContain('"body":"{\\"n\\":3}"');
    expect(came.map((one) => one.body).toSorted()).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
    expect(new Set(came.map(({ headers }) => headers["idempotency-key"])).size).toBe(3);
  });

  test("is a step of a chain, and its record names the exposure", async () => {
    const id = await accepted(dev, "chain", { steps: [{ operation: "echo_post", args: { id: "chained" } }] });
    expect(await ended(dev, id)).toMatchObject({ status: "succeeded" });
    const output = await dev.request(`/executions/${id}/output`);
    expect(await output.text()).toContain("/api/echo/chained");
    const step = (await listed(dev, "echo_post")).find(({ caller }) => caller.id === id);
    expect(step).toMatchObject({ status: "succeeded", environment: "echo_v1" });
  });

  test("is called a thousand times at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, async (_, n) => {
        const { status, body } = await dev.call("echo_get", { id: n });
        return status === 200 && (body as { url: string }).url === `/api/echo/${n}`;
      }),
    );
    expect(answers.every(Boolean)).toBe(true);
  });

  test("without an exposure is refused, and nothing has run", async () => {
    await dev.request("/registry/exposures/echo_v1", { method: "PATCH", body: '{"active":false}' });
    expect(await dev.call("echo_get", { id: 1 })).toMatchObject({ status: 503, body: { code: "no_environment" } });
    await dev.request("/registry/exposures/echo_v1", { method: "PATCH", body: '{"active":true}' });
    expect(await dev.call("echo_get", { id: 1 })).toMatchObject({ status: 200 });
  });
});

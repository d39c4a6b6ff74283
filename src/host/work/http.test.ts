/** A real service on this machine. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cancellation } from "../../core/cancellation.ts";
import { anOrder } from "./_order.test-help.node.ts";
import { runExternalWork } from "./run-work.node.ts";

let server: Server;
let base: string;
let headers: IncomingHttpHeaders = {};
let onHang = () => {};

beforeAll(async () => {
  server = createServer((request, response) => {
    headers = request.headers;
    const [, what = "", extra = ""] = (request.url ?? "").split("/");
    if (what === "hang") return onHang();
    if (what === "cut") return void response.socket?.destroy();
    if (what === "endless") {
      const more = () => response.write("x".repeat(1_000_000), () => void (response.destroyed || more()));
      return more();
    }
    if (what !== "echo") {
      response.writeHead(Number(what), extra === "" ? {} : { "retry-after": extra, location: "/echo" });
      return void response.end("its words");
    }
    return void request.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function ask(where: string, more: { timeoutMs?: number; cancellation?: Cancellation } = {}) {
  const { timeoutMs, ...options } = more;
  const work = { kind: "http" as const, url: where.startsWith("http") ? where : base + where, method: "POST" as const };
  return runExternalWork(work, anOrder('{"a":1}', timeoutMs), { ...options, log: () => {} });
}

test("runHttp() hands on the input, the trace and the execution, and answers the output", async () => {
  expect(await ask("/echo")).toMatchObject({ ok: true, output: '{"a":1}' });
  expect(headers).toMatchObject({ "content-type": "application/json", "execution-id": "ex_1" });
  expect(headers["traceparent"]).toMatch(/^00-0af7/);
  expect(headers["tracestate"]).toBe("congo=t61rcWkgMzE");
});

test.each<[where: string, code: string, retry: object]>([
  ["/200", "output_not_json", { kind: "may" }],
  ["/302/1", "environment_misconfigured", { kind: "may" }],
  ["/401", "environment_refused", { kind: "may" }],
  ["/404", "environment_misconfigured", { kind: "may" }],
  ["/422", "implementation_failed", { kind: "never" }],
  ["/429/2", "environment_throttled", { kind: "after", after_ms: 2000 }],
  ["/500", "implementation_failed", { kind: "may" }],
  ["/503", "environment_throttled", { kind: "may" }],
  ["/cut", "executor_lost", { kind: "may" }],
  ["/endless", "output_too_large", { kind: "never" }],
  ["http://127.0.0.1:1/", "environment_misconfigured", { kind: "may" }],
  ["http://127.0.0.1:2/", "environment_unavailable", { kind: "may" }],
])("runHttp() of %s is %s", async (where, code, retry) => {
  expect(await ask(where)).toMatchObject({ ok: false, error: { code }, retry });
});

test("runHttp() ends at the time-out", async () => {
  expect(await ask("/hang", { timeoutMs: 50 })).toMatchObject({ ok: false, error: { code: "timeout" } });
});

test("runHttp() ends when the result is not wanted any more", async () => {
  const cancellation = new Cancellation();
  onHang = () => cancellation.request();
  expect(await ask("/hang", { cancellation })).toMatchObject({ ok: false, error: { code: "execution_cancelled" } });
});

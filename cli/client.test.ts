import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createClient, type Client } from "./client.ts";

let server: Server | undefined;
afterEach(() => server?.close());

async function answering(status: number, type: string, body: string): Promise<Client> {
  server = createServer((_request, response) => {
    response.writeHead(status, { "content-type": type, location: "/elsewhere" });
    response.end(body);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return createClient({ url: `http://127.0.0.1:${port}`, token: "sy_test" });
}

describe("createClient()", () => {
  test.each([
    [
      "a proxy's page",
      502,
      "text/html",
      "<h1>Bad gateway</h1>",
      { code: "unexpected_answer", message: expect.stringContaining("502 <h1>Bad gateway") },
    ],
    [
      "an empty refusal",
      500,
      "text/plain",
      "",
      { code: "unexpected_answer", message: expect.stringContaining("no body") },
    ],
    ["a redirect", 302, "text/plain", "", { code: "unexpected_answer" }],
    ["JSON that is no problem", 400, "application/json", '{"error":"x"}', { code: "unexpected_answer" }],
    [
      "a problem with its hint and issues",
      422,
      "application/problem+json",
      '{"code":"input_invalid","detail":"D","hint":"H","errors":[{"pointer":"/a","keyword":"type","detail":"E"}]}',
      { code: "input_invalid", message: "D", hint: "H", errors: [{ pointer: "/a", keyword: "type", detail: "E" }] },
    ],
    [
      "a code of a newer platform, by its status",
      412,
      "application/problem+json",
      '{"code":"brand_new","detail":"D"}',
      { code: "precondition_failed", message: 'D ["brand_new"]' },
    ],
  ])("makes an error of %s", async (_, status, type, body, expected) => {
    const client = await answering(status, type, body);
    await expect(client.request("GET", "/x")).rejects.toMatchObject(expected);
  });

  test("a status that the caller accepts is an answer", async () => {
    const client = await answering(503, "application/json", '{"status":"degraded"}');
    await expect(client.request("GET", "/health", { acceptStatus: [503] })).resolves.toMatchObject({ status: 503 });
  });

  test("nobody there: platform_unreachable with the address and the reason", async () => {
    const client = createClient({ url: "http://127.0.0.1:2", token: "sy_test" });
    await expect(client.request("GET", "/x")).rejects.toMatchObject({
      code: "platform_unreachable",
      message: expect.stringMatching(/127\.0\.0\.1:2.*ECONNREFUSED/),
    });
  });

  test.each([
    ["POST", /lost in the middle/, /may have been done/],
    ["GET", /Cannot reach the platform/, /Start one/],
  ])("a %s whose connection is lost in the middle", async (method, message, hint) => {
    server = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = createClient({ url: `http://127.0.0.1:${port}`, token: "sy_test" });
    await expect(client.request(method, "/x")).rejects.toMatchObject({
      code: "platform_unreachable",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });
});

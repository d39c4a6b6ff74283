/** A connection tells that somebody listens, unless it has met itself. */
import { once } from "node:events";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { askHealth, meetsItself } from "./_health.node.ts";

async function listening(): Promise<{ port: number; server: net.Server }> {
  const server = net.createServer((socket) => socket.destroy());
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as net.AddressInfo).port, server };
}

async function connected(options: net.NetConnectOpts): Promise<net.Socket> {
  const socket = net.connect(options);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

const ask = (port: number) => askHealth({ host: "127.0.0.1", port, inside: null }, { path: null, timeout_ms: 5_000 });

test("a port that takes connections is healthy, one that nobody has is not", async () => {
  const { port, server } = await listening();
  expect(meetsItself(await connected({ host: "127.0.0.1", port }))).toBe(false);
  expect(await ask(port)).toBeUndefined();
  server.close();
  await once(server, "close");
  expect(await ask(port)).toBe(`nothing listens on port ${port}`);
});

test.skipIf(process.platform !== "linux")("a connection that TCP has joined to itself is nobody's word", async () => {
  const { port, server } = await listening();
  server.close();
  await once(server, "close");
  expect(meetsItself(await connected({ host: "127.0.0.1", port, localPort: port }))).toBe(true);
});

test.each([
  ["answers, whatever it says", "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n", undefined],
  ["closes connections", "", expect.stringContaining("nothing answers on port 8080 of its container") as string],
  ["keeps them open, and says nothing", undefined, "OPTIONS * was not answered within 200 ms"],
])("a port behind a proxy that %s", async (_what, answer, expected) => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => answer !== undefined && socket.end(answer));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const target = { host: "127.0.0.1", port, inside: 8_080 };
  expect(await askHealth(target, { path: null, timeout_ms: 200 })).toEqual(expected);
});

/**
 * Nothing that the platform sends by itself reaches the machine it runs on or its network, unless the row says so: whatever
 * the address looks like, whatever its name resolves to, wherever a receiver redirects. What must not be reached counts its
 * connections.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ExecutionView } from "../../src/model/execution.ts";
import { accepted, listed } from "./_executions.ts";
import { withNames } from "./_names.ts";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";
import { certificateFor, Receiver, trap } from "./_receiver.ts";

type Trap = Awaited<ReturnType<typeof trap>>;

const NAMES = {
  "four.receiver.example": ["127.0.0.1"],
  "six.receiver.example": ["::1"],
  "mapped.receiver.example": ["::ffff:127.0.0.1"],
  "translated.receiver.example": ["64:ff9b::7f00:1"],
  "own.receiver.example": ["10.0.0.1"],
  "clouds.receiver.example": ["169.254.169.254"],
  // As a name whose owner changes its answer: one that may be reached, and one that may not.
  "two.receiver.example": ["192.0.2.254", "127.0.0.1"],
};
const LITERALS = [
  "127.0.0.1",
  "2130706433",
  "0177.0.0.1",
  "0x7f.0.0.1",
  "127.1",
  "0.0.0.0",
  "[::]",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b::127.0.0.1]",
  "localhost",
  "a.localhost",
  "localhost.",
];

const through = withNames(NAMES);
if (through === undefined) console.warn("SKIPPED: names that resolve inside: only root can mount a hosts file");

const certificate = certificateFor("127.0.0.1");
if (certificate === undefined) console.warn("SKIPPED: receivers with TLS: there is no openssl");

let dev: Dev;
let four: Trap;
let six: Trap;
beforeAll(async () => {
  dev = await startDev({
    ...(through === undefined ? {} : { through }),
    ...(certificate === undefined ? {} : { env: { NODE_EXTRA_CA_CERTS: certificate.file } }),
  });
  [four, six] = [await trap("0.0.0.0"), await trap("::1")];
  await install(dev, "work", "export const work = (input) => input;", { is_async: true });
});
afterAll(async () => {
  await dev?.stop();
  await four?.close();
  await six?.close();
});

function put(kind: string, name: string, body: unknown): Promise<Response> {
  return dev.request(`/registry/${kind}/${name}`, { method: "PUT", body: JSON.stringify(body) });
}

/** What became of the delivery of one event to this URL. */
async function delivered(name: string, row: Record<string, unknown>): Promise<ExecutionView> {
  const retry = { max_attempts: 1 };
  const stored = await put("subscriptions", name, { operations: ["work"], unsigned: true, retry, ...row });
  expect(stored.status, await stored.text()).toBeLessThan(300);
  await accepted(dev, "work", {});
  let found: ExecutionView | undefined;
  await waitUntil(async () => {
    found = (await listed(dev, "deliver_event")).find(({ caller }) => caller.id === name);
    return found?.status === "dead" || found?.status === "succeeded";
  }, 20_000);
  await dev.request(`/registry/subscriptions/${name}`, { method: "DELETE" });
  return found!;
}

const untouched = () => expect([four.connections(), six.connections()]).toEqual([0, 0]);

describe("a subscription", () => {
  it.each(LITERALS)("to %s is refused where it is written", async (host) => {
    const stored = await put("subscriptions", "inside", { url: `https://${host}:${four.port}/`, unsigned: true });
    expect([stored.status, await stored.json()]).toMatchObject([
      422,
      { code: "destination_forbidden", errors: [{ pointer: "/url" }] },
    ]);
  });

  it.each([
    "http://receiver.example/",
    "https://user:password@receiver.example/",
    "https://receiver.example:25/",
    "https://receiver.example/#part",
    "ftp://receiver.example/",
  ])("to %s is refused where it is written", async (url) => {
    const stored = await put("subscriptions", "odd", { url, unsigned: true });
    expect([stored.status, await stored.json()]).toMatchObject([422, { errors: [{ pointer: "/url" }] }]);
  });

  it.runIf(through !== undefined).each(Object.keys(NAMES))(
    "to %s, which resolves inside, reaches nothing",
    async (name) => {
      for (const { port } of [four, six]) {
        const delivery = await delivered(`to-${name.split(".")[0]}-${port}`, { url: `https://${name}:${port}/` });
        expect(delivery).toMatchObject({ status: "dead", error: { code: "destination_unreachable" } });
      }
      untouched();
    },
  );

  it("is not led anywhere by a redirect", async () => {
    const receiver = await Receiver.start();
    receiver.usual = { status: 307, headers: { location: `http://127.0.0.1:${four.port}/` } };
    const delivery = await delivered("redirected", { url: `${receiver.url}/`, network: "private" });
    expect(delivery).toMatchObject({
      status: "dead",
      error: { code: "delivery_refused", detail: expect.stringContaining("redirects are not followed") },
    });
    expect(receiver.came).toHaveLength(1);
    untouched();
    await receiver.close();
  });
});

describe.skipIf(certificate === undefined)("a receiver with TLS", () => {
  it.each([
    ["whose authority the platform knows", () => certificate, "succeeded"],
    ["whose certificate is for another", () => certificateFor("receiver.example"), "dead"],
  ] as const)("%s", async (_, made, status) => {
    const receiver = await Receiver.start(made());
    const delivery = await delivered(`tls-${status}`, { url: `${receiver.url}/`, network: "private" });
    expect(delivery).toMatchObject({ status });
    expect(receiver.came).toHaveLength(status === "succeeded" ? 1 : 0);
    await receiver.close();
  });
});

describe("an operation of the adapter http", () => {
  const hosts = through === undefined ? LITERALS : [...LITERALS, ...Object.keys(NAMES)];
  it("on the public network reaches nothing inside, whatever the address", async () => {
    for (const [at, host] of hosts.entries()) {
      const port = host.includes("::1") || host.startsWith("six") ? six.port : four.port;
      const url = `https://${host}:${port}/`;
      await put("environments", `inside-${at}`, { adapter: "http", config: { url: url.slice(0, -1) } });
      await put("operations", `inside-${at}`, {
        implemented_at: { http: { url } },
        environment: `inside-${at}`,
        input_type: { schema: true },
        output_type: { schema: true },
      });
      const { status, body } = await dev.call(`inside-${at}`, {});
      expect([host, status, body]).toMatchObject([host, 503, { code: "environment_unavailable" }]);
    }
    untouched();
  });
});

// Last: from here on there are connections.
describe("what must not be reached", () => {
  it.each([
    ["[::1]", () => six],
    ["127.0.0.1", () => four],
  ] as const)("is there, and is reached at %s by who may", async (host, where) => {
    const { port, connections } = where();
    const delivery = await delivered(`allowed-${port}`, { url: `https://${host}:${port}/`, network: "private" });
    expect(delivery).toMatchObject({ status: "dead", error: { code: "destination_unreachable" } });
    expect(connections()).toBeGreaterThan(0);
  });
});

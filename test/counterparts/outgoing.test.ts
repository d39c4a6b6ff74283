/** What subscriptions send, checked by the library that Standard Webhooks gives to receivers: of the real `opctl dev`. */
import { createRequire } from "node:module";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../e2e/_executions.ts";
import { install, startDev, waitUntil, type Dev } from "../e2e/_platform.ts";
import { Receiver } from "../e2e/_receiver.ts";

type Library = { Webhook: new (secret: string) => { verify(body: string, headers: Record<string, string>): unknown } };

const NAME = "standardwebhooks";
const require = createRequire(path.join(import.meta.dirname, "package.json"));
const found = (() => {
  try {
    return require(NAME) as Library;
  } catch {
    console.warn("SKIPPED test/counterparts/outgoing.test.ts: standardwebhooks is not installed in test/counterparts");
    return undefined;
  }
})();

const secretOf = (text: string) => `whsec_${Buffer.from(text).toString("base64")}`;
const [OLD, NEW, FOREIGN] = ["the old one, long enough", "the new one, long enough", "of somebody else, surely"].map(
  secretOf,
) as [string, string, string];

describe.skipIf(found === undefined)("the library of Standard Webhooks", () => {
  let dev: Dev;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await Receiver.start();
    dev = await startDev();
    await install(dev, "work", "export const work = (input) => input;", { is_async: true });
    const put = (target: string, body: unknown) =>
      dev.request(`/registry/${target}`, { method: "PUT", body: JSON.stringify(body) });
    await put("secrets/old", { value: OLD });
    // As some hand it out, without the prefix.
    await put("secrets/new", { value: NEW.slice("whsec_".length) });
    await put("subscriptions/told", {
      operations: ["work"],
      url: `${receiver.url}/`,
      secrets: ["old", "new"],
      network: "private",
    });
  });
  afterAll(async () => {
    await dev?.stop();
    await receiver?.close();
  });

  it("takes what is sent with either secret, and nothing that was changed or is another's", async () => {
    const { Webhook } = found!;
    await accepted(dev, "work", { text: "ä – 😀 \u2028" });
    await waitUntil(() => receiver.came.length > 0, 10_000);
    const { body, headers } = receiver.came[0]!;
    for (const secret of [OLD, NEW]) {
      expect(new Webhook(secret).verify(body, headers)).toMatchObject({
        type: "execution.succeeded",
        data: { output: { text: "ä – 😀 \u2028" } },
      });
    }
    expect(() => new Webhook(FOREIGN).verify(body, headers)).toThrow();
    expect(() => new Webhook(OLD).verify(`${body} `, headers)).toThrow();
    const late = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) };
    expect(() => new Webhook(OLD).verify(body, late)).toThrow();
    expect(() => new Webhook(OLD).verify(body, { ...headers, "webhook-id": "msg_other" })).toThrow();
  });
});

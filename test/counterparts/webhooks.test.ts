/**
 * Webhooks against the packages that senders and receivers use: what standardwebhooks, Stripe, Octokit and CloudEvents sign and
 * write is verified and read here, and what we sign is verified there.
 */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SAMPLES } from "../../cli/webhooks/samples.ts";
import type { TriggerHandle } from "../../src/model/triggers.ts";
import { signedRequest, webhookOf } from "../../src/triggers/webhooks/_test-world.node.ts";
import { readBody } from "../../src/triggers/webhooks/read-body.ts";
import { utf8, type Incoming } from "../../src/triggers/webhooks/schemes/scheme.ts";
import { verify } from "../../src/triggers/webhooks/verify.ts";

const NAMES = ["standardwebhooks", "stripe", "@octokit/webhooks-methods", "cloudevents"];
const missing = NAMES.filter((name) => !existsSync(new URL(`node_modules/${name}`, import.meta.url).pathname));
if (missing.length > 0) {
  if (process.env["CI"] !== undefined) throw new Error(`${missing.join(", ")} must be installed in test/counterparts`);
  console.warn(`SKIPPED: ${missing.join(", ")} not in test/counterparts, so webhooks meet no packages but our own`);
}
/** By a name that is not looked at before it is run: a checkout may lack them. */
const load = async <T>(name: string): Promise<T> => (await import(name)) as T;

type StandardWebhooks = {
  Webhook: new (secret: string) => {
    sign(id: string, at: Date, payload: string): string;
    verify(payload: string, headers: Record<string, string>): unknown;
  };
};
type Stripe = {
  default: {
    webhooks: {
      generateTestHeaderString(options: { payload: string; secret: string; timestamp?: number }): string;
      constructEvent(payload: string, header: string, secret: string): { id: string };
    };
  };
};
type Octokit = {
  sign: (secret: string, payload: string) => Promise<string>;
  verify: (secret: string, payload: string, signature: string) => Promise<boolean>;
};
type Message = { headers: Record<string, string>; body: string };
type CloudEvents = {
  CloudEvent: new (event: Record<string, unknown>) => Record<string, unknown>;
  HTTP: {
    structured(event: unknown): Message;
    binary(event: unknown): Message;
    toEvent(message: Message): Record<string, unknown>;
  };
};

const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODIES = ['{"a":1}', '{ "ü": "€ 😀",\n "n": 1.0 }', "[]", '"x"'];

const check = (webhook: TriggerHandle<"webhook">, incoming: Incoming, secret: string) =>
  verify(incoming, { webhook, secrets: [secret], nowMs: Date.now() });

const request = (body: string, headers: Record<string, string>): Incoming => ({
  method: "POST",
  path: "/hooks/hook",
  headers: new Headers(headers),
  body: utf8(body),
});

const headersOf = (incoming: Incoming): Record<string, string> => Object.fromEntries(incoming.headers);

describe.skipIf(missing.length > 0)("webhooks", () => {
  it("of standardwebhooks are verified here, and ours there", async () => {
    const { Webhook } = await load<StandardWebhooks>("standardwebhooks");
    const theirs = new Webhook(WHSEC);
    const webhook = webhookOf({ scheme: "standard" });
    for (const body of BODIES) {
      const at = new Date();
      const headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
        "webhook-signature": theirs.sign("msg_1", at, body),
      };
      expect(await check(webhook, request(body, headers), WHSEC)).toMatchObject({ ok: true, id: "msg_1" });
      expect(await check(webhook, request(`${body} `, headers), WHSEC)).toMatchObject({ ok: false });
      const ours = await signedRequest(webhook, { secret: WHSEC, body, atMs: Date.now() });
      expect(theirs.verify(body, headersOf(ours))).toEqual(JSON.parse(body));
      expect(() => theirs.verify(`${body} `, headersOf(ours))).toThrow("No matching signature");
    }
  });

  it("of Stripe are verified here, and ours there", async () => {
    const stripe = await load<Stripe>("stripe");
    const { webhooks } = stripe.default;
    const webhook = webhookOf({ scheme: "stripe" });
    const secret = "whsec_test_secret";
    const { body } = SAMPLES["stripe.checkout.session.completed"]!.make("1", new Date());
    for (const payload of [body, ...BODIES]) {
      const header = webhooks.generateTestHeaderString({ payload, secret });
      expect(await check(webhook, request(payload, { "stripe-signature": header }), secret)).toMatchObject({
        ok: true,
      });
      const old = webhooks.generateTestHeaderString({
        payload,
        secret,
        timestamp: Math.floor(Date.now() / 1_000) - 301,
      });
      expect(await check(webhook, request(payload, { "stripe-signature": old }), secret)).toMatchObject({ ok: false });
    }
    const ours = await signedRequest(webhook, { secret, body, atMs: Date.now() });
    expect(webhooks.constructEvent(body, ours.headers.get("stripe-signature")!, secret).id).toBe("evt_1");
    expect(() => webhooks.constructEvent(`${body} `, ours.headers.get("stripe-signature")!, secret)).toThrow();
  });

  it("of GitHub, as Octokit signs them, are verified here, and ours there", async () => {
    const { sign, verify: theirVerify } = await load<Octokit>("@octokit/webhooks-methods");
    const webhook = webhookOf({ scheme: "github" });
    for (const body of BODIES) {
      const headers = { "x-hub-signature-256": await sign("secret", body), "x-github-delivery": "1" };
      expect(await check(webhook, request(body, headers), "secret")).toMatchObject({ ok: true, id: "1" });
      expect(await check(webhook, request(body, headers), "secreT")).toMatchObject({ ok: false });
      const ours = await signedRequest(webhook, { secret: "secret", body });
      const signature = ours.headers.get("x-hub-signature-256")!;
      expect(await theirVerify("secret", body, signature)).toBe(true);
      expect(await theirVerify("secret", `${body} `, signature)).toBe(false);
    }
  });

  it("with CloudEvents of the official package are read here in both modes, and our samples there", async () => {
    const { CloudEvent, HTTP } = await load<CloudEvents>("cloudevents");
    const event = new CloudEvent({
      id: "7",
      source: "/shop",
      type: "order.paid",
      subject: "Euro",
      tenant: "a",
      datacontenttype: "application/json",
      data: { total: 3 },
    });
    for (const { headers, body } of [HTTP.structured(event), HTTP.binary(event)]) {
      const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      const read = readBody({ headers: lower, body: utf8(body), scheme: "none" });
      expect(read.body.value).toEqual({ total: 3 });
      expect(read.event).toMatchObject({
        specversion: "1.0",
        id: "7",
        source: "/shop",
        type: "order.paid",
        subject: "Euro",
        tenant: "a",
        time: event["time"],
      });
    }
    for (const name of ["cloudevents.structured", "cloudevents.binary"]) {
      const theirs = HTTP.toEvent(SAMPLES[name]!.make("9", new Date()));
      expect(theirs).toMatchObject({ id: "9", type: "com.example.order.paid", data: { order: 7, total: 4200 } });
    }
  });
});

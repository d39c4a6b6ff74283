/**
 * What senders send, small but in their shape. Each is new: with an id of its own, since a webhook takes one event once.
 */
import type { WebhookScheme } from "../../src/model/triggers.ts";

export type Sample = { headers: Record<string, string>; body: string };

type Entry = {
  /** Whose it is; undefined: it can come signed in any way. */
  scheme?: WebhookScheme;
  make(id: string, now: Date): Sample;
};

const JSON_TYPE = { "content-type": "application/json" };
const json = (value: unknown, headers: Record<string, string> = {}): Sample => ({
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(value),
});
const github = (event: string, value: unknown): Sample => json(value, { "x-github-event": event });
const seconds = (now: Date): number => Math.floor(now.getTime() / 1_000);

const REPOSITORY = { id: 1296269, name: "hello-world", full_name: "octocat/hello-world", private: false };
const SENDER = { login: "octocat", id: 1, type: "User" };

export const SAMPLES: Readonly<Record<string, Entry>> = {
  standard: {
    scheme: "standard",
    make: (id, now) => json({ type: "invoice.paid", timestamp: now.toISOString(), data: { id, total: 4200 } }),
  },
  "github.push": {
    scheme: "github",
    make: (_, now) =>
      github("push", {
        ref: "refs/heads/main",
        before: "0000000000000000000000000000000000000000",
        after: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        repository: REPOSITORY,
        pusher: { name: "octocat", email: "octocat@github.com" },
        sender: SENDER,
        commits: [
          {
            id: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
            message: "Say hello",
            timestamp: now.toISOString(),
            author: { name: "Mona Lisa Octocat", email: "octocat@github.com" },
            added: ["hello.txt"],
            removed: [],
            modified: [],
          },
        ],
      }),
  },
  "github.ping": {
    scheme: "github",
    make: () =>
      github("ping", { zen: "Keep it logically awesome.", hook_id: 1, repository: REPOSITORY, sender: SENDER }),
  },
  "stripe.checkout.session.completed": {
    scheme: "stripe",
    make: (id, now) =>
      json({
        id: `evt_${id}`,
        object: "event",
        api_version: "2026-02-25",
        created: seconds(now),
        type: "checkout.session.completed",
        livemode: false,
        pending_webhooks: 1,
        data: {
          object: {
            id: `cs_test_${id}`,
            object: "checkout.session",
            amount_total: 4200,
            currency: "eur",
            customer_details: { email: "jenny@example.com", name: "Jenny Rosen" },
            payment_status: "paid",
            status: "complete",
          },
        },
      }),
  },
  "slack.event_callback": {
    scheme: "slack",
    make: (id, now) =>
      json({
        type: "event_callback",
        token: "XXYYZZ",
        team_id: "T123ABC456",
        api_app_id: "A123ABC456",
        event: { type: "app_mention", user: "U123ABC456", text: "<@U0LAN0Z89> hello", channel: "C123ABC456" },
        event_id: `Ev${id}`,
        event_time: seconds(now),
      }),
  },
  "slack.url_verification": {
    scheme: "slack",
    make: (id) => json({ type: "url_verification", token: "XXYYZZ", challenge: id }),
  },
  "cloudevents.structured": {
    make: (id, now) => ({
      headers: { "content-type": "application/cloudevents+json; charset=utf-8" },
      body: JSON.stringify({
        specversion: "1.0",
        id,
        source: "/shop/orders",
        type: "com.example.order.paid",
        time: now.toISOString(),
        datacontenttype: "application/json",
        data: { order: 7, total: 4200 },
      }),
    }),
  },
  "cloudevents.binary": {
    make: (id, now) =>
      json(
        { order: 7, total: 4200 },
        {
          "ce-specversion": "1.0",
          "ce-id": id,
          "ce-source": "/shop/orders",
          "ce-type": "com.example.order.paid",
          "ce-time": now.toISOString(),
        },
      ),
  },
  generic: { make: (id, now) => json({ event: "test", id, at: now.toISOString() }) },
};

/** What a webhook of the scheme is tried with when nothing else is said. */
export function usualSample(scheme: WebhookScheme): string {
  const own = Object.keys(SAMPLES).find((name) => SAMPLES[name]?.scheme === scheme);
  return own ?? "generic";
}

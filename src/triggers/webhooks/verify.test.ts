import { describe, expect, test } from "vitest";
import type { TriggerHandle } from "../../model/triggers.ts";
import { NOW, signedRequest, webhookOf } from "./_test-world.node.ts";
import { utf8, type Incoming } from "./schemes/scheme.ts";
import { verify } from "./verify.ts";

const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const HMAC = {
  header: "x-signature",
  signed: "{timestamp}.{id}.{body}",
  timestamp_header: "x-time",
  id_header: "x-id",
};

/** A webhook of each scheme, a secret for it, and another. */
const SUBJECTS: Record<string, { webhook: TriggerHandle<"webhook">; secret: string; other: string }> = {
  standard: { webhook: webhookOf({ scheme: "standard" }), secret: WHSEC, other: OTHER },
  github: { webhook: webhookOf({ scheme: "github" }), secret: "s3cret", other: "s3cret " },
  stripe: { webhook: webhookOf({ scheme: "stripe" }), secret: "whsec_abc", other: "whsec_abd" },
  slack: { webhook: webhookOf({ scheme: "slack" }), secret: "8f742231b10e", other: "8f742231b10f" },
  hmac: { webhook: webhookOf({ scheme: "hmac", hmac: HMAC }), secret: "key", other: "kez" },
  hmac_sha512: {
    webhook: webhookOf({
      scheme: "hmac",
      hmac: { header: "x-sig", algorithm: "sha512", encoding: "base64", prefix: "v=" },
    }),
    secret: "key",
    other: "kez",
  },
  hmac_sha1: {
    webhook: webhookOf({
      scheme: "hmac",
      hmac: { header: "x-sig", algorithm: "sha1", encoding: "base64url", signed: "{method} {path}\n{body}" },
    }),
    secret: "key",
    other: "kez",
  },
  token: { webhook: webhookOf({ scheme: "token" }), secret: "tok-1", other: "tok-2" },
  token_header: {
    webhook: webhookOf({ scheme: "token", token_header: { name: "X-Gitlab-Token" } }),
    secret: "tok-1",
    other: "tok-10",
  },
};
const ALL = Object.keys(SUBJECTS);
const SIGNING = ALL.filter((name) => !name.startsWith("token"));
const TIMED = ["standard", "stripe", "slack", "hmac"];

const check = (webhook: TriggerHandle<"webhook">, incoming: Incoming, ...secrets: string[]) =>
  verify(incoming, { webhook, secrets, nowMs: NOW });

function withHeader(incoming: Incoming, name: string, change: (value: string) => string): Incoming {
  const headers = new Headers(incoming.headers);
  headers.set(name, change(headers.get(name) ?? ""));
  return { ...incoming, headers };
}

/** The header with the proof, whatever the scheme calls it. */
function proofOf({ headers }: Incoming): string {
  return [...headers.keys()].find((name) => /signature|sig$|authorization|token/.test(name)) ?? "";
}

describe.each(ALL)("verify() of %s", (name) => {
  const { webhook, secret, other } = SUBJECTS[name]!;

  test("takes what is signed with its secret, and nothing signed with another", async () => {
    const incoming = await signedRequest(webhook, { secret });
    expect(await check(webhook, incoming, secret)).toMatchObject({ ok: true });
    expect(await check(webhook, incoming, other)).toMatchObject({ ok: false });
  });

  test("takes either of two secrets while one replaces the other, and not one that was revoked", async () => {
    const incoming = await signedRequest(webhook, { secret });
    expect(await check(webhook, incoming, other, secret)).toMatchObject({ ok: true });
    expect(await check(webhook, incoming, secret, other)).toMatchObject({ ok: true });
    expect(await check(webhook, incoming, other, `${other}x`)).toMatchObject({ ok: false });
  });

  test("refuses a proof that is missing, empty, cut, longer, doubled, of other letters, or no ASCII", async () => {
    const incoming = await signedRequest(webhook, { secret });
    const header = proofOf(incoming);
    const bare = new Headers(incoming.headers);
    bare.delete(header);
    expect(await check(webhook, { ...incoming, headers: bare }, secret)).toMatchObject({ ok: false });
    const twice = new Headers(incoming.headers);
    twice.append(header, twice.get(header)!);
    expect(await check(webhook, { ...incoming, headers: twice }, secret)).toMatchObject({ ok: false });
    const changes: ((value: string) => string)[] = [
      () => "",
      (value) => value.slice(0, -1),
      (value) => value.slice(1),
      (value) => `${value}0`,
      (value) => `${value}, ${value}`,
      (value) => `${value} ${value}x`,
      (value) => `${value}é`,
      (value) => value.slice(0, -3) + (value.endsWith("000") ? "111" : "000"),
      (value) => "0".repeat(value.length),
    ];
    for (const change of changes) {
      const changed = withHeader(incoming, header, change);
      const verdict = await check(webhook, changed, secret);
      expect(verdict, changed.headers.get(header) ?? "").toMatchObject({ ok: false });
    }
  });

  test("accepts nothing where there is no secret, or only an empty one", async () => {
    const incoming = await signedRequest(webhook, { secret });
    for (const secrets of [[], [""], ["", ""]]) {
      await expect(check(webhook, incoming, ...secrets)).rejects.toMatchObject({ code: "secret_unavailable" });
    }
  });

  test("does not care for the case of a header's name", async () => {
    const { headers, ...rest } = await signedRequest(webhook, { secret });
    const loud = new Headers([...headers].map(([key, value]) => [key.toUpperCase(), value]));
    expect(await check(webhook, { ...rest, headers: loud }, secret)).toMatchObject({ ok: true });
  });
});

describe.each(SIGNING)("verify() of %s, over the bytes as they came,", (name) => {
  const { webhook, secret } = SUBJECTS[name]!;

  test.each([
    ["empty", ""],
    ["with spaces that JSON would lose", '{ "a":1,\n"b" : "ü" }'],
    ["that is no UTF-8", new Uint8Array([0xff, 0xfe, 0x00, 0x80])],
  ])("takes a body %s", async (_, body) => {
    expect(await check(webhook, await signedRequest(webhook, { secret, body }), secret)).toMatchObject({ ok: true });
  });

  test("refuses one that was serialised again, cut, or made longer", async () => {
    const incoming = await signedRequest(webhook, { secret, body: '{ "a": 1 }' });
    for (const body of ['{"a":1}', '{ "a": 1 ', '{ "a": 1 }\n', "", '{ "a": 2 }']) {
      expect(await check(webhook, { ...incoming, body: utf8(body) }, secret), body).toMatchObject({ ok: false });
    }
  });
});

describe.each(TIMED)("verify() of %s, which signs a time,", (name) => {
  const { webhook, secret } = SUBJECTS[name]!;

  test.each([
    ["now", 0, true],
    ["299 s ago", -299, true],
    ["299 s ahead", 299, true],
    ["301 s ago", -301, false],
    ["301 s ahead", 301, false],
    ["a year ago", -31_536_000, false],
  ])("of %s", async (_, seconds, ok) => {
    const incoming = await signedRequest(webhook, { secret, atMs: NOW + seconds * 1_000 });
    expect(await check(webhook, incoming, secret)).toMatchObject(
      ok ? { ok, timestampMs: NOW + seconds * 1_000 } : { ok, reason: expect.stringContaining("tolerated") },
    );
  });

  test("holds to the row's own tolerance", async () => {
    const incoming = await signedRequest(webhook, { secret, atMs: NOW - 30_000 });
    expect(await check({ ...webhook, tolerance_s: 10 }, incoming, secret)).toMatchObject({ ok: false });
    expect(await check({ ...webhook, tolerance_s: 30 }, incoming, secret)).toMatchObject({ ok: true });
  });

  test("refuses one that is changed, or no time", async () => {
    const incoming = await signedRequest(webhook, { secret });
    const header = [...incoming.headers.keys()].find((key) => /time|stripe/.test(key));
    const now = String(NOW / 1_000);
    for (const other of [String(NOW / 1_000 - 1), "", "x", "-1", "NaN", "1e9", `${now}.5`, ` ${now}, ${now}`]) {
      const changed = withHeader(incoming, header!, (value) => value.replace(now, other));
      expect(await check(webhook, changed, secret), other).toMatchObject({ ok: false });
    }
  });
});

describe("verify() of standard", () => {
  const { webhook, secret, other } = SUBJECTS["standard"]!;

  test("takes the right one of several signatures, and passes over versions that it does not know", async () => {
    const mine = await signedRequest(webhook, { secret });
    const theirs = (await signedRequest(webhook, { secret: other })).headers.get("webhook-signature")!;
    for (const list of [
      (value: string) => `${theirs} ${value}`,
      (value: string) => `${value} ${theirs}`,
      (value: string) => `v1a,${"A".repeat(86)}== ${value}`,
      (value: string) => `v2,whatever ${value}`,
    ]) {
      expect(await check(webhook, withHeader(mine, "webhook-signature", list), secret)).toMatchObject({ ok: true });
    }
  });

  test("says that an asymmetric signature alone is unsupported", async () => {
    const incoming = await signedRequest(webhook, { secret });
    const only = withHeader(incoming, "webhook-signature", () => `v1a,${"A".repeat(86)}==`);
    expect(await check(webhook, only, secret)).toMatchObject({ reason: expect.stringContaining("unsupported") });
  });

  test("tries no more than a few signatures", async () => {
    const incoming = await signedRequest(webhook, { secret });
    const many = withHeader(incoming, "webhook-signature", (value) => Array(9).fill(value).join(" "));
    expect(await check(webhook, many, secret)).toMatchObject({ ok: false });
  });

  test("answers the id, which is signed", async () => {
    const incoming = await signedRequest(webhook, { secret, id: "msg_7" });
    expect(await check(webhook, incoming, secret)).toMatchObject({ id: "msg_7" });
    expect(
      await check(
        webhook,
        withHeader(incoming, "webhook-id", () => "msg_8"),
        secret,
      ),
    ).toMatchObject({ ok: false });
  });

  test("needs one secret that is base64; those that are not prove nothing", async () => {
    const incoming = await signedRequest(webhook, { secret });
    expect(await check(webhook, incoming, "no base64!", secret)).toMatchObject({ ok: true });
    await expect(check(webhook, incoming, "no base64!", "whsec_")).rejects.toMatchObject({
      code: "secret_unavailable",
    });
  });

  test("has the specification's own example", async () => {
    const headers = new Headers({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
    const incoming = { method: "POST", path: "/hooks/hook", headers, body: utf8('{"test": 2432232314}') };
    const verdict = await verify(incoming, { webhook, secrets: [WHSEC], nowMs: 1_614_265_330_000 });
    expect(verdict).toMatchObject({ ok: true });
  });
});

describe("verify() of others", () => {
  test("takes any of several signatures of Stripe, and refuses two times", async () => {
    const { webhook, secret } = SUBJECTS["stripe"]!;
    const incoming = await signedRequest(webhook, { secret });
    const fake = "0".repeat(64);
    const taken = [
      (value: string) => `${value},v1=${fake}`,
      (value: string) => value.replace("v1=", `v1=${fake},v1=`),
      (value: string) => `${value},v0=${fake}`,
    ];
    for (const change of taken)
      expect(await check(webhook, withHeader(incoming, "stripe-signature", change), secret)).toMatchObject({
        ok: true,
      });
    const refusals = [
      (value: string) => `t=1,${value}`,
      (value: string) => value.replace("v1=", "v0="),
      (value: string) => value.replace(/^t=\d+,/, ""),
    ];
    for (const change of refusals)
      expect(await check(webhook, withHeader(incoming, "stripe-signature", change), secret)).toMatchObject({
        ok: false,
      });
  });

  test("has GitHub's own example", async () => {
    const { webhook } = SUBJECTS["github"]!;
    const headers = new Headers({
      "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    });
    const incoming = { method: "POST", path: "/hooks/hook", headers, body: utf8("Hello, World!") };
    expect(await check(webhook, incoming, "It's a Secret to Everybody")).toMatchObject({ ok: true });
  });

  test("has Slack's own example", async () => {
    const { webhook } = SUBJECTS["slack"]!;
    const body = utf8(
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    );
    const headers = new Headers({
      "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      "x-slack-request-timestamp": "1531420618",
    });
    const verdict = await verify(
      { method: "POST", path: "/hooks/hook", headers, body },
      { webhook, secrets: ["8f742231b10e8888abcd99yyyzzz85a5"], nowMs: 1_531_420_618_000 },
    );
    expect(verdict).toMatchObject({ ok: true });
  });

  test("reads an HMAC's time in seconds, milliseconds and RFC 3339", async () => {
    const hmac = { header: "x-sig", signed: "{timestamp}{body}", timestamp_header: "x-time" };
    const webhook = webhookOf({ scheme: "hmac", hmac });
    for (const text of [String(NOW / 1_000), String(NOW), new Date(NOW).toISOString()]) {
      const body = utf8("{}");
      const signer = webhookOf({ scheme: "hmac", hmac: { header: "x-sig", signed: `${text}{body}` } });
      const signed = await signedRequest(signer, { secret: "key", body });
      signed.headers.set("x-time", text);
      expect(await check(webhook, signed, "key"), text).toMatchObject({ ok: true, timestampMs: NOW });
    }
  });

  test("asks for nothing where the row says unsigned", async () => {
    const webhook = webhookOf({ scheme: "none", secrets: [], unsigned: true });
    expect(await check(webhook, await signedRequest(webhook, { secret: "" }))).toMatchObject({ ok: true });
  });

  test("takes Bearer in any case, and the token in its own", async () => {
    const { webhook } = SUBJECTS["token"]!;
    const incoming = await signedRequest(webhook, { secret: "Tok" });
    for (const [value, ok] of [
      ["bearer Tok", true],
      ["BEARER Tok", true],
      ["Bearer tok", false],
      ["Tok", false],
      ["Basic Tok", false],
    ] as const) {
      expect(
        await check(
          webhook,
          withHeader(incoming, "authorization", () => value),
          "Tok",
        ),
        value,
      ).toMatchObject({ ok });
    }
  });
});

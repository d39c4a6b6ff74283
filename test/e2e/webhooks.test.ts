/** Webhooks on the real `opctl dev`: from a sender's signed request to the execution, and what the record of it says. */
import { createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { install, ROOT, startDev, waitUntil, type Dev } from "./_platform.ts";
import { registryOf, type Json } from "./_registry.ts";

let dev: Dev;
const { done, send } = registryOf(() => dev);

const SECRET = "It's a Secret to Everybody";

beforeAll(async () => {
  dev = await startDev();
  await install(dev, "seen", "export function seen(input) { return { seen: input }; }", { group: "hooks" });
  await done("PUT", "/registry/secrets/github_key", { value: SECRET, groups: ["hooks"] });
  await done("PUT", "/registry/webhooks/pushed", { operation: "seen", scheme: "github", secrets: ["github_key"] });
});
afterAll(() => dev.stop());

/** What each of examples/webhooks makes of its sender's sample. */
const SAYS: Readonly<Record<string, RegExp>> = {
  "cloudevents.yaml": /^com.example.order.paid from \/shop\/orders: order 7$/,
  "github.yaml": /^octocat pushed to refs\/heads\/main$/,
  "hmac.yaml": /^test$/,
  "slack.yaml": /^U123ABC456: .*hello$/,
  "standard.yaml": /^invoice.paid [0-9a-f]{32}$/,
  "stripe.yaml": /^jenny@example.com paid 42 eur$/,
};

type Told = { status: number; body: Json; headers: Headers };

async function told(response: Response): Promise<Told> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as Json };
}

async function post(
  name: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<Told> {
  const { "content-type": type = "application/json", ...rest } = headers;
  const init = { method: "POST", body, headers: { "content-type": type, ...rest } };
  return told(await fetch(`${dev.url}/hooks/${name}`, init));
}

function github(body: string, { id = crypto.randomUUID(), secret = SECRET }: { id?: string; secret?: string } = {}) {
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  return { "x-github-event": "push", "x-github-delivery": id, "x-hub-signature-256": `sha256=${signature}` };
}

/** What a request to `rotated` is answered that is signed with the secret. */
async function statusBy(secret: string): Promise<number> {
  return (await post("rotated", "{}", github("{}", { secret }))).status;
}

async function mint(name: string, scopes: string[]): Promise<string> {
  return (await done("PUT", `/registry/tokens/${name}`, { scopes })).body["token"] as string;
}

async function outputOf(id: unknown): Promise<unknown> {
  const response = await dev.request(`/executions/${String(id)}/output`, { headers: { prefer: "wait=10" } });
  return response.json();
}

/** Its record, once it is written. */
async function recordOf(id: unknown): Promise<Json> {
  let answer = await send("GET", `/deliveries/${String(id)}`);
  await waitUntil(
    async () => (answer = await send("GET", `/deliveries/${String(id)}`)).status === 200,
    5_000,
    () => JSON.stringify(answer.body),
  );
  return answer.body;
}

/** Puts a webhook to `seen`, with what is not said like those above. */
function hook(name: string, fields: Json): Promise<unknown> {
  return done("PUT", `/registry/webhooks/${name}`, {
    operation: "seen",
    scheme: "github",
    secrets: ["github_key"],
    ...fields,
  });
}

describe("a signed request", () => {
  it("starts the operation, which is kept before it is acknowledged", async () => {
    const body = '{"ref":"refs/heads/main"}';
    const answer = await post("pushed", body, github(body));
    expect(answer).toMatchObject({ status: 202, body: { execution_id: expect.stringMatching(/^ex_/) } });
    expect(answer.body["delivery_id"]).toBe(answer.headers.get("delivery-id"));
    expect(await outputOf(answer.body["execution_id"])).toEqual({ seen: { ref: "refs/heads/main" } });
    const execution = await send("GET", `/executions/${String(answer.body["execution_id"])}`);
    expect(execution.body).toMatchObject({
      caller: { type: "webhook", id: "pushed" },
      principal: "webhook:pushed",
      status: "succeeded",
    });
    expect(await recordOf(answer.body["delivery_id"])).toMatchObject({
      webhook: "pushed",
      status: "accepted",
      verified: true,
      code: null,
      execution_id: answer.body["execution_id"],
      body,
      body_kept: true,
    });
  });

  it("shows neither the mapping nor the record what proves or admits", async () => {
    await hook("shown", { mapping: "{'headers': headers, 'query': query}", response: "result" });
    const body = "{}";
    const secrets = { authorization: "Bearer a", cookie: "a=b", "x-api-key": "k" };
    const answer = await post("shown?via=a&via=b", body, { ...github(body), ...secrets });
    expect(answer.status).toBe(200);
    const { headers, query } = answer.body["seen"] as { headers: Json; query: Json };
    expect(headers).toMatchObject({ "x-github-event": "push", "content-type": "application/json" });
    expect(query).toEqual({ via: ["a", "b"] });
    const record = await recordOf(answer.headers.get("delivery-id"));
    for (const each of [headers, record["headers"] as Json]) {
      for (const name of ["x-hub-signature-256", ...Object.keys(secrets)]) expect(each).not.toHaveProperty(name);
    }
  });

  it("is answered with the output, where the webhook says so", async () => {
    await hook("asked", { response: "result" });
    expect(await post("asked", '{"n":1}', github('{"n":1}'))).toMatchObject({ status: 200, body: { seen: { n: 1 } } });
    await install(dev, "slowly", "export const slowly = async (input) => input;", { group: "hooks", is_async: true });
    await hook("asked_async", { response: "result", operation: "slowly" });
    expect(await post("asked_async", '{"n":2}', github('{"n":2}'))).toMatchObject({ status: 200, body: { n: 2 } });
  });

  it("goes on with the trace that it came with", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const answer = await post("pushed", "{}", { ...github("{}"), traceparent });
    expect(answer.headers.get("traceparent")).toContain("0af7651916cd43dd8448eb211c80319c");
  });
});

describe("a request that is not verified", () => {
  const body = '{"a":1}';

  it.each<[string, Record<string, string>, string]>([
    ["without a signature", {}, "missing"],
    ["signed with another secret", github(body, { secret: "other" }), "not by the secret"],
    ["signed over a body that was serialised again", github('{ "a": 1 }'), "not by the secret"],
    ["with half a signature", { "x-hub-signature-256": "sha256=757107ea" }, "malformed"],
    ["with an empty one", { "x-hub-signature-256": "" }, "malformed"],
    ["with the older SHA-1", { "x-hub-signature": "sha1=0000000000000000000000000000000000000000" }, "missing"],
  ])("%s is told only that it is not enough, and its record why", async (_, headers, reason) => {
    const answer = await post("pushed", body, headers);
    expect(answer).toMatchObject({ status: 401, body: { code: "webhook_unverified" } });
    expect(answer.headers.get("www-authenticate")).toBe('Webhook realm="pushed"');
    expect(JSON.stringify(answer.body)).not.toContain(reason);
    const record = await recordOf(answer.headers.get("delivery-id"));
    expect(record).toMatchObject({
      status: "refused",
      verified: false,
      code: "webhook_unverified",
      execution_id: null,
    });
    expect(record["detail"]).toContain(reason);
    const again = await send("POST", `/deliveries/${String(record["id"])}/replay`);
    expect(again).toMatchObject({ status: 400, body: { code: "bad_request" } });
  });

  it("cut off in the middle starts nothing", async () => {
    expect(await post("pushed", body.slice(0, -1), github(body))).toMatchObject({ status: 401 });
  });

  it("with a header twice is refused, whichever is right", async () => {
    const good = github(body)["x-hub-signature-256"];
    const headers = new Headers({ "content-type": "application/json" });
    for (const value of [good, good]) headers.append("x-hub-signature-256", value);
    const answer = await fetch(`${dev.url}/hooks/pushed`, { method: "POST", body, headers });
    expect(answer.status).toBe(401);
  });

  it("of 10 MB is refused by its size", async () => {
    // Only said to be so large: the answer does not wait for it, and a client that goes on writing might miss it.
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const headers = { "content-type": "application/json", "content-length": 10 * 1024 * 1024, ...github(body) };
    const request = http.request(`${dev.url}/hooks/pushed`, { method: "POST", headers }, resolve).on("error", reject);
    request.flushHeaders();
    const { statusCode, headers: answered } = await promise;
    request.on("error", () => undefined).destroy();
    expect(statusCode).toBe(413);
    expect(await recordOf(answered["delivery-id"])).toMatchObject({ status: "refused", code: "payload_too_large" });
  });

  it("learns nothing of webhooks that are off, or not there", async () => {
    await hook("off", { active: false });
    const [off, none] = [await post("off", body, github(body)), await post("nowhere", body, github(body))];
    for (const [name, answer] of Object.entries({ off, nowhere: none })) {
      expect(answer).toMatchObject({ status: 404, body: { code: "entity_not_found" } });
      expect(JSON.stringify(answer.body).replaceAll(name, "NAME")).toBe(
        JSON.stringify(off.body).replaceAll("off", "NAME"),
      );
    }
    const { items } = (await done("GET", "/deliveries?webhook=off")).body as { items: Json[] };
    await waitUntil(
      async () => ((await done("GET", "/deliveries?webhook=off")).body["items"] as Json[]).length > 0,
      5_000,
      () => JSON.stringify(items),
    );
  });

  it("is taken by POST only", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const answer = await told(await fetch(`${dev.url}/hooks/pushed`, { method }));
      expect(answer, method).toMatchObject({ status: 405, body: { code: "method_not_allowed" } });
      expect(answer.headers.get("allow")).toBe("POST");
    }
  });
});

describe("while one secret replaces another", () => {
  it("both are taken, then only the one that is left, at once", async () => {
    await done("PUT", "/registry/secrets/next_key", { value: "next", groups: ["hooks"] });
    await hook("rotated", { secrets: ["github_key", "next_key"] });
    expect([await statusBy(SECRET), await statusBy("next")]).toEqual([202, 202]);
    await hook("rotated", { secrets: ["next_key"] });
    expect([await statusBy(SECRET), await statusBy("next")]).toEqual([401, 202]);
    await done("PATCH", "/registry/secrets/next_key", { value: "third" });
    expect([await statusBy("next"), await statusBy("third")]).toEqual([401, 202]);
    const refused = await send("DELETE", "/registry/secrets/next_key");
    expect(refused).toMatchObject({ status: 409, body: { code: "entity_in_use" } });
  });

  it("none that cannot be a key is taken for one", async () => {
    await done("PUT", "/registry/secrets/no_whsec", { value: "not base64!", groups: ["hooks"] });
    await hook("unusable", { scheme: "standard", secrets: ["no_whsec"] });
    const now = String(Math.floor(Date.now() / 1000));
    const signature = `v1,${createHmac("sha256", "").update(`msg_1.${now}.{}`).digest("base64")}`;
    const headers = { "webhook-id": "msg_1", "webhook-timestamp": now, "webhook-signature": signature };
    const answer = await post("unusable", "{}", headers);
    expect(answer).toMatchObject({ status: 503, body: { code: "secret_unavailable" } });
    expect(JSON.stringify(answer.body)).not.toContain("no_whsec");
  });
});

describe("the same event again", () => {
  it("is not run again, and answered with the execution that it had", async () => {
    const id = crypto.randomUUID();
    const body = '{"n":1}';
    const first = await post("pushed", body, github(body, { id }));
    expect(first.headers.get("delivery-duplicate")).toBeNull();
    const second = await post("pushed", body, github(body, { id }));
    expect(second).toMatchObject({ status: 202, body: { execution_id: first.body["execution_id"] } });
    expect(second.headers.get("delivery-duplicate")).toBe("true");
    expect(second.body["delivery_id"]).not.toBe(first.body["delivery_id"]);
    expect(await recordOf(second.body["delivery_id"])).toMatchObject({ status: "duplicate" });
  });

  it("with another body is refused", async () => {
    const id = crypto.randomUUID();
    await post("pushed", '{"n":1}', github('{"n":1}', { id }));
    const other = await post("pushed", '{"n":2}', github('{"n":2}', { id }));
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    expect(await recordOf(other.headers.get("delivery-id"))).toMatchObject({ status: "failed", verified: true });
  });

  it("is answered with the output that it had", async () => {
    const id = crypto.randomUUID();
    const body = '{"n":3}';
    const [first, second] = [
      await post("asked", body, github(body, { id })),
      await post("asked", body, github(body, { id })),
    ];
    expect(second).toMatchObject({ status: 200, body: { seen: { n: 3 } } });
    expect(second.headers.get("execution-id")).toBe(first.headers.get("execution-id"));
    expect(second.headers.get("delivery-duplicate")).toBe("true");
  });

  it("is what the row's expression says", async () => {
    await hook("by_order", { dedupe: "body.order" });
    const [a, b, c] = [
      await post("by_order", '{"order":1}', github('{"order":1}')),
      await post("by_order", '{"order":1}', github('{"order":1}')),
      await post("by_order", '{"order":2}', github('{"order":2}')),
    ];
    expect(b.body["execution_id"]).toBe(a.body["execution_id"]);
    expect(c.body["execution_id"]).not.toBe(a.body["execution_id"]);
  });

  it("of many at once is run once", async () => {
    const body = '{"n":4}';
    const headers = github(body);
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("pushed", body, headers)));
    expect(new Set(answers.map(({ body: { execution_id: id } }) => id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get("delivery-duplicate") === null)).toHaveLength(1);
  });
});

describe("a verified request that cannot be run", () => {
  const failures: [string, Json, string, Record<string, string>, number, string][] = [
    [
      "of JSON that is a form of parts",
      {},
      "{}",
      { "content-type": "multipart/form-data; boundary=x" },
      415,
      "unsupported_media_type",
    ],
    ["of parts that say they are JSON", {}, "--x\r\n\r\n1\r\n--x--", {}, 400, "malformed_json"],
    [
      "of a batch of CloudEvents",
      {},
      "[]",
      { "content-type": "application/cloudevents-batch+json" },
      415,
      "unsupported_media_type",
    ],
    [
      "whose mapping has no end",
      { mapping: "($f := function($x) { $f($x + 1) }; $f(1))" },
      "{}",
      {},
      422,
      "expression_limit",
    ],
    ["whose mapping explodes", { mapping: "[1..9999999]" }, "{}", {}, 422, "expression_limit"],
    ["whose mapping throws", { mapping: "$error('no such thing')" }, "{}", {}, 422, "expression_failed"],
    ["whose mapping finds nothing", { mapping: "body.absent" }, "{}", {}, 422, "expression_failed"],
    ["whose operation takes another type", { operation: "typed" }, '{"n":"x"}', {}, 422, "input_invalid"],
    ["whose operation is off", { operation: "switched_off" }, "{}", {}, 409, "operation_inactive"],
    ["whose operation throws", { operation: "throwing", response: "result" }, "{}", {}, 502, "implementation_failed"],
  ];

  beforeAll(async () => {
    await install(dev, "typed", "export const typed = (input) => input;", {
      group: "hooks",
      input_type: { type: "object", properties: { n: { type: "number" } }, required: ["n"] },
    });
    await install(dev, "switched_off", "export const switched_off = (input) => input;", { group: "hooks" });
    await install(dev, "throwing", "export const throwing = () => { throw new Error('out of order'); };", {
      group: "hooks",
    });
  });

  it.each(failures)("%s says so, and its record too", async (what, row, body, headers, status, code) => {
    const name = what.replaceAll(/[^a-z]+/gi, "_").toLowerCase();
    await hook(name, row);
    if (row["operation"] === "switched_off")
      await done("PATCH", "/registry/operations/switched_off", { active: false });
    const answer = await post(name, body, { ...github(body), ...headers });
    expect(answer).toMatchObject({ status, body: { code } });
    const record = await recordOf(answer.headers.get("delivery-id"));
    expect(record).toMatchObject({ status: "failed", verified: true, code, body });
    if (code !== "implementation_failed") expect(record["execution_id"]).toBeNull();
    if (code === "input_invalid") expect(record["errors"]).toMatchObject([{ pointer: "/n" }]);
  });

  it("is refused as a row already, when its mapping is no expression", async () => {
    for (const field of ["mapping", "dedupe"]) {
      const answer = await send("PUT", "/registry/webhooks/bad", {
        operation: "seen",
        scheme: "github",
        secrets: ["github_key"],
        [field]: "body.(",
      });
      expect(answer).toMatchObject({
        status: 422,
        body: { code: "expression_invalid", errors: [{ pointer: `/${field}` }] },
      });
    }
  });
});

describe("what others send", () => {
  it("Slack, which asks first whether somebody is there", async () => {
    await done("PUT", "/registry/secrets/slack_key", { value: "8f742231b10e", groups: ["hooks"] });
    await hook("slack", { scheme: "slack", secrets: ["slack_key"] });
    const body = '{"type":"url_verification","challenge":"abc"}';
    const time = String(Math.floor(Date.now() / 1000));
    const signature = `v0=${createHmac("sha256", "8f742231b10e").update(`v0:${time}:${body}`).digest("hex")}`;
    const headers = { "x-slack-request-timestamp": time, "x-slack-signature": signature };
    expect(await post("slack", body, headers)).toMatchObject({ status: 200, body: { challenge: "abc" } });
    const forged = await post("slack", body, { ...headers, "x-slack-signature": `v0=${"0".repeat(64)}` });
    expect(forged.status).toBe(401);
    expect(JSON.stringify(forged.body)).not.toContain("abc");
  });

  it("a form with the JSON in a field of its own", async () => {
    const body = new URLSearchParams({ payload: '{"ref":"main"}' }).toString();
    const form = { "content-type": "application/x-www-form-urlencoded" };
    expect(await post("asked", body, { ...github(body), ...form })).toMatchObject({ body: { seen: { ref: "main" } } });
  });

  it("anybody, where the row says that nothing is signed", async () => {
    await hook("open", { scheme: "none", secrets: [], unsigned: true, response: "result" });
    expect(await post("open", "plain", { "content-type": "text/plain" })).toMatchObject({ body: { seen: "plain" } });
  });
});

describe("replaying a delivery", () => {
  it("maps and runs it again, as the webhook is now", async () => {
    await hook("mended", { mapping: "{'wrong': body.absent}", operation: "typed" });
    const body = '{"amount":7}';
    const failed = await post("mended", body, github(body));
    expect(failed.status).toBe(422);
    const id = failed.headers.get("delivery-id");
    await recordOf(id);
    expect(await send("POST", `/deliveries/${id}/replay`)).toMatchObject({ status: 422 });
    await hook("mended", { mapping: "{'n': body.amount}", operation: "typed" });
    const again = await send("POST", `/deliveries/${id}/replay`);
    expect(again).toMatchObject({ status: 202, body: { execution_id: expect.stringMatching(/^ex_/) } });
    expect(await outputOf(again.body["execution_id"])).toEqual({ n: 7 });
    expect(await recordOf(again.body["delivery_id"])).toMatchObject({ replay_of: id, status: "accepted" });
    // Each time anew: that somebody asks for it is the point.
    const third = await send("POST", `/deliveries/${id}/replay`);
    expect(third.body["execution_id"]).not.toBe(again.body["execution_id"]);
  });

  it("is for who has the rights that the webhook gives", async () => {
    const answer = await post("pushed", "{}", github("{}"));
    await recordOf(answer.body["delivery_id"]);
    const route = `/deliveries/${String(answer.body["delivery_id"])}`;
    const reader = await mint("reader", ["registry:read", "ops:invoke"]);
    const writer = await mint("writer", ["registry:write"]);
    const both = await mint("both", ["registry:write", "ops:invoke"]);
    const replay = async (token: string): Promise<number> =>
      (await dev.request(`${route}/replay`, { method: "POST", token })).status;
    expect((await dev.request(route, { token: reader })).status).toBe(200);
    expect([await replay(reader), await replay(writer), await replay(both)]).toEqual([403, 403, 202]);
  });

  it("is not possible where a part of the body was not kept", async () => {
    const body = JSON.stringify({ text: "x".repeat(300_000) });
    const answer = await post("pushed", body, github(body));
    expect(answer.status).toBe(202);
    const record = await recordOf(answer.body["delivery_id"]);
    expect(record).toMatchObject({ body_kept: false, body_size_bytes: body.length });
    const again = await send("POST", `/deliveries/${String(record["id"])}/replay`);
    expect(again).toMatchObject({ status: 400 });
    expect(again.body["hint"]).toContain(String(answer.body["execution_id"]));
  });
});

describe("a flood of forged requests", () => {
  it("leaves a bounded number of records, which count the rest, and real ones go through", async () => {
    await hook("flooded", {});
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => post("flooded", "{}", github("{}", { secret: "x" }))),
      );
      expect(answers.every(({ status }) => status === 401)).toBe(true);
    }
    const real = await post("flooded", "{}", github("{}"));
    expect(real.status).toBe(202);
    await recordOf(real.body["delivery_id"]);
    type Item = { verified: boolean; others: number };
    let forged: Item[] = [];
    const counted = (): number => forged.length + forged.reduce((sum, { others }) => sum + others, 0);
    const look = async (): Promise<boolean> => {
      const page = await done("GET", "/deliveries?webhook=flooded&limit=1000");
      forged = (page.body["items"] as Item[]).filter(({ verified }) => !verified);
      return counted() === 200;
    };
    await waitUntil(look, 5_000, () => `${forged.length} records of ${counted()}`);
    // Over a minute's turn there may be twice as many.
    expect(forged.length).toBeGreaterThanOrEqual(60);
    expect(forged.length).toBeLessThanOrEqual(120);
  });
});

describe("examples/webhooks", () => {
  const FOLDER = path.join(ROOT, "examples/webhooks");

  beforeAll(async () => {
    const deployed = await dev.opctl(["deploy", "examples/echo.ts#echo", "--group", "examples"]);
    expect(deployed, deployed.stderr).toMatchObject({ code: 0 });
  });

  it.each(readdirSync(FOLDER))("%s is applied, and does what it says with a sample of its sender's", async (file) => {
    const { name, scheme, secrets } = parse(readFileSync(path.join(FOLDER, file), "utf8")) as {
      name: string;
      scheme: string;
      secrets: string[];
    };
    const value = scheme === "standard" ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" : "a secret";
    await done("PUT", `/registry/secrets/${secrets[0]}`, { value, groups: ["examples"] });
    const applied = await dev.opctl(["apply", "-f", `examples/webhooks/${file}`]);
    expect(applied, applied.stderr).toMatchObject({ code: 0 });
    const sample = file === "cloudevents.yaml" ? ["--sample", "cloudevents.structured"] : [];
    const ran = await dev.opctl(["webhook", "test", name, "--json", ...sample]);
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    const { execution_id: id, output } = JSON.parse(ran.stdout) as Json;
    expect(output ?? (await outputOf(id))).toEqual({ output_str: expect.stringMatching(SAYS[file] ?? /^$/) });
  });
});

describe("opctl", () => {
  it("lists deliveries, shows one, and replays it", async () => {
    const body = '{"via":"opctl"}';
    const answer = await post("pushed", body, github(body));
    const id = String(answer.body["delivery_id"]);
    // One that is not in its log yet is found, and not listed.
    const isListed = async (): Promise<boolean> =>
      JSON.stringify((await done("GET", "/deliveries?webhook=pushed&limit=5")).body).includes(id);
    await waitUntil(isListed, 5_000);
    const list = await dev.opctl(["get", "deliveries", "--webhook", "pushed", "--status", "accepted", "--json"]);
    expect(list.code, list.stderr).toBe(0);
    expect((JSON.parse(list.stdout) as Json[]).map((each) => each["id"])).toContain(id);
    const table = await dev.opctl(["get", "deliveries", "--since", "1h"]);
    expect(table.stdout).toContain(id);
    const one = await dev.opctl(["get", "delivery", id]);
    expect(one.stdout).toContain('{"via":"opctl"}');
    expect(one.stdout).toContain("x-github-event");
    const again = await dev.opctl(["replay", id, "--wait"]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(again.stdout)).toEqual({ seen: { via: "opctl" } });
    expect((await dev.opctl(["replay", id, "--revision", "1"])).code).toBe(2);
  });

  it("tests a webhook with each sample, signed by the platform", async () => {
    await done("PUT", "/registry/secrets/whsec", {
      value: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      groups: ["hooks"],
    });
    const rows: Record<string, Json> = {
      standard: { scheme: "standard", secrets: ["whsec"] },
      github: {},
      stripe: { scheme: "stripe", secrets: ["whsec"] },
      slack: { scheme: "slack", secrets: ["slack_key"] },
      cloudevents: { scheme: "token", secrets: ["slack_key"], mapping: "{'type': event.type, 'total': body.total}" },
      generic: {
        scheme: "hmac",
        secrets: ["whsec"],
        hmac: { header: "x-sig", signed: "{timestamp}.{body}", timestamp_header: "x-time" },
      },
    };
    for (const [name, row] of Object.entries(rows)) await hook(`try_${name}`, { response: "result", ...row });
    const { SAMPLES } = await import("../../cli/webhooks/samples.ts");
    for (const sample of Object.keys(SAMPLES)) {
      const ran = await dev.opctl(["webhook", "test", `try_${sample.split(".")[0]}`, "--sample", sample, "--json"]);
      expect(ran, `${sample}: ${ran.stderr}`).toMatchObject({ code: 0 });
      expect(JSON.parse(ran.stdout), sample).toMatchObject({ status: 200, code: null });
    }
    for (const name of ["standard", "stripe", "slack", "generic"]) {
      const stale = await dev.opctl(["webhook", "test", `try_${name}`, "--stale"]);
      expect(stale, name).toMatchObject({ code: 0, stdout: "401 webhook_unverified\n" });
    }
    const noTime = await dev.opctl(["webhook", "test", "try_github", "--stale"]);
    expect(noTime).toMatchObject({ code: 2 });
    const foreign = await dev.opctl(["webhook", "test", "try_github", "--sample", "slack.event_callback"]);
    expect(foreign).toMatchObject({ code: 2 });
  }, 120_000);

  it("tests one over the network, with a secret of the user's", async () => {
    const args = ["webhook", "test", "pushed", "--secret", "--to", `${dev.url}/hooks/pushed?x=1`];
    const ran = await dev.opctl(args, { input: `${SECRET}\n` });
    expect(ran, ran.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining("202 ex_") });
    const wrong = await dev.opctl(args, { input: "wrong" });
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining("webhook_unverified") });
  });

  it("does not let a test do what the token may not", async () => {
    const tokens: [string, number][] = [
      [await mint("t_invoke", ["ops:invoke"]), 403],
      [await mint("t_write", ["registry:write", "secrets:use"]), 403],
      [await mint("t_no_secrets", ["registry:write", "ops:invoke"]), 403],
      [await mint("t_all", ["registry:write", "ops:invoke", "secrets:use"]), 200],
    ];
    for (const [token, status] of tokens) {
      const init = { method: "POST", body: '{"body":"{}","id":"x"}', token };
      expect((await dev.request("/webhooks/pushed/test", init)).status).toBe(status);
    }
  });
});

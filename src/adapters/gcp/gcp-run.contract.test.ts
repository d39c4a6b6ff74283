/** Google's ID tokens, verified by a fake of Google's own, and the contract of adapters on what they open. */
import { generateKeyPairSync } from "node:crypto";
import { jwtVerify } from "jose";
import { expect, it } from "vitest";
import { callOf } from "../../../test/contracts/adapter/call-of.ts";
import { describeAdapterContract } from "../../../test/contracts/adapter/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { hostDialect, openLoopbackPlace } from "../../../test/contracts/adapter/loopback-place.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { Implementation } from "../../model/resolved.ts";
import { gcpRunAdapter } from "./gcp-run.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" };
const SERVICE: Implementation = { kind: "http", url: "/work", method: "POST" };
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const KEY = JSON.stringify({
  client_email: "sy@p.iam.gserviceaccount.com",
  private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
  token_uri: "http://google.invalid/token",
});
const MAX_BYTES = 4_096;

describeAdapterContract("gcp-run, our host", async () => {
  const refusals = {
    throttled: { status: 429, headers: { "retry-after": "0" }, body: "" },
    refused: { status: 401, body: "" },
    missing: { status: 404, body: "" },
  };
  const dialect = hostDialect({ order: ({ body }) => body, wrap: (body) => ({ status: 200, body }) }, refusals);
  const { url, ...place } = await openLoopbackPlace(dialect);
  const direct = fakePorts().fetchOn("private");
  const fetchOn = () => async (request: Request) =>
    request.url === "http://google.invalid/token" ? Response.json({ id_token: "the-id-token" }) : direct(request);
  return {
    ...place,
    adapter: gcpRunAdapter(fakePorts({ fetchOn })),
    implementation: MODULE,
    environment: environmentOf("run", {
      config: { url, max_body_bytes: MAX_BYTES, network: "private" },
      openSecrets: async () => ({ service_account_key: KEY }),
    }),
    secrets: ["PRIVATE KEY", "the-id-token"],
    maxBytes: MAX_BYTES,
  };
});

function world(config: Record<string, unknown>, secrets: Record<string, string>) {
  const asked: string[] = [];
  const seen = { tokens: 0, runs: 0, valid: 1, asked };
  const fetchOn = () => async (request: Request) => {
    asked.push(request.url);
    const text = await request.text();
    if (request.url === "http://google.invalid/token") {
      const form = new URLSearchParams(text);
      expect(form.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
      const { payload } = await jwtVerify(form.get("assertion") ?? "", publicKey, {
        issuer: "sy@p.iam.gserviceaccount.com",
        audience: "http://google.invalid/token",
        algorithms: ["RS256"],
      });
      expect(payload["target_audience"]).toBe("https://svc.invalid");
      return Response.json({ id_token: `t${++seen.tokens}` });
    }
    if (request.url === "http://sts.invalid/token") {
      expect(Object.fromEntries(new URLSearchParams(text))).toMatchObject({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        audience: "//iam.googleapis.com/projects/1/p",
        subject_token: "subject",
      });
      return Response.json({ access_token: "exchanged", expires_in: 3600 });
    }
    if (request.url.startsWith("http://iam.invalid/")) {
      expect(request.headers.get("authorization")).toBe("Bearer exchanged");
      expect(JSON.parse(text)).toEqual({ audience: "https://svc.invalid", includeEmail: true });
      return Response.json({ token: `t${++seen.tokens}` });
    }
    if (request.headers.get("authorization") !== `Bearer t${seen.valid}`) return new Response(null, { status: 401 });
    seen.runs++;
    return Response.json(1);
  };
  const adapter = gcpRunAdapter(fakePorts({ fetchOn }));
  const environment = environmentOf("run", {
    config: { url: "https://svc.invalid", ...config },
    openSecrets: async () => secrets,
  });
  return { seen, invoke: () => adapter.invoke(callOf(SERVICE, {}, { environment })) };
}

const WORKLOAD = {
  auth: "workload_identity",
  workload_identity_provider: "//iam.googleapis.com/projects/1/p",
  service_account: "sy@p.iam.gserviceaccount.com",
  sts_url: "http://sts.invalid/token",
  iam_url: "http://iam.invalid",
};

it.each([
  ["a service account's key", {}, { service_account_key: KEY }],
  ["workload identity", WORKLOAD, { subject_token: "subject" }],
])(
  "gcp-run proves itself by %s, keeps the token, renews it once, and runs the work once",
  async (_, config, secrets) => {
    const { seen, invoke } = world(config, secrets);
    expect(await invoke()).toMatchObject({ ok: true, output: "1" });
    await invoke();
    expect(seen).toMatchObject({ tokens: 1, runs: 2 });
    seen.valid = 2;
    expect(await invoke()).toMatchObject({ ok: true });
    expect(seen).toMatchObject({ tokens: 2, runs: 3 });
  },
);

it.each([
  ["no key", {}, {}],
  ["a key that is no JSON", {}, { service_account_key: "s-e-c-r-e-t" }],
  ["a key that does not sign", {}, { service_account_key: '{"client_email":"a","private_key":"s-e-c-r-e-t"}' }],
  ["no provider", { auth: "workload_identity" }, { subject_token: "s-e-c-r-e-t" }],
])("gcp-run is refused with %s before anything is sent, and does not tell it", async (_, config, secrets) => {
  const { seen, invoke } = world(config, secrets);
  const outcome = await invoke();
  expect(outcome).toMatchObject({ ok: false, unstarted: true, error: { code: "environment_refused" } });
  expect(JSON.stringify(outcome)).not.toContain("s-e-c-r-e-t");
  expect(seen.asked).toEqual([]);
});

import { describeAdapterContract } from "../../../test/contracts/adapter/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import {
  hostDialect,
  openLoopbackPlace,
  traceIn,
  type Dialect,
} from "../../../test/contracts/adapter/loopback-place.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { Implementation } from "../../model/resolved.ts";
import { httpAdapter } from "./http.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" };
const SERVICE: Implementation = { kind: "http", url: "/work", method: "POST" };
const SECRETS = { host_secret: "the-host-secret", token: "the-token" };
const MAX_BYTES = 4_096;

const refusals = {
  throttled: { status: 429, headers: { "retry-after": "0" }, body: "" },
  refused: { status: 401, body: "" },
  missing: { status: 404, body: "" },
};

const service: Dialect = {
  ...refusals,
  read: ({ request, body }) => ({ input: body, trace: traceIn(request) }),
  write(came) {
    if ("output" in came) return { status: 200, body: came.output };
    return { status: came.retry === "may" ? 500 : 422, body: JSON.stringify({ detail: came.detail }) };
  },
};

async function setUp(dialect: Dialect, implementation: Implementation) {
  const { url, ...place } = await openLoopbackPlace(dialect);
  return {
    ...place,
    adapter: httpAdapter(fakePorts()),
    implementation,
    environment: environmentOf("web", {
      config: { url, origins: [], auth: "bearer", header: "x", max_body_bytes: MAX_BYTES, network: "private" },
      openSecrets: async () => SECRETS,
    }),
    secrets: Object.values(SECRETS),
    maxBytes: MAX_BYTES,
  };
}

describeAdapterContract("http, a service of the team's", () => setUp(service, SERVICE));

describeAdapterContract("http, our host", () =>
  setUp(hostDialect({ order: ({ body }) => body, wrap: (body) => ({ status: 200, body }) }, refusals), MODULE),
);

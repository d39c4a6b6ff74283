import { describeAdapterContract } from "../../../test/contracts/adapter/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import {
  hostDialect,
  openLoopbackPlace,
  type Answer,
  type Asked,
  type Dialect,
} from "../../../test/contracts/adapter/loopback-place.ts";
import type { TraceContext } from "../../core/trace.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { Implementation } from "../../model/resolved.ts";
import { lambdaAdapter } from "./lambda.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" };
const FUNCTION: Implementation = { kind: "lambda", function: "thumbs", qualifier: null };
const SECRETS = { access_key_id: "AKIDEXAMPLE", secret_access_key: "the-secret-key" };
const NO_STOP = { stop: "Lambda cannot stop an invocation" };

const refusal = (type: string, status: number, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { "x-amzn-errortype": type, ...headers },
  body: '{"Message":"no"}',
});
const refusals = {
  throttled: refusal("TooManyRequestsException", 429),
  refused: refusal("UnrecognizedClientException", 403),
  missing: refusal("ResourceNotFoundException", 404),
};

const ownFunction: Dialect = {
  ...refusals,
  read: ({ request, body }: Asked) => ({
    input: body,
    trace: (JSON.parse(atob(String(request.headers["x-amz-client-context"]))) as { custom: TraceContext }).custom,
  }),
  write(came) {
    if ("output" in came) return { status: 200, body: came.output };
    const body = JSON.stringify({ errorType: "Error", errorMessage: came.detail });
    return { status: 200, headers: { "x-amz-function-error": "Unhandled" }, body };
  },
};

const host = hostDialect(
  {
    order: ({ body }) => (JSON.parse(body) as { order: string }).order,
    wrap: (reply) => ({ status: 200, body: JSON.stringify({ reply }) }),
  },
  refusals,
);

async function setUp(dialect: Dialect, implementation: Implementation) {
  const { url, ...place } = await openLoopbackPlace(dialect);
  return {
    ...place,
    adapter: lambdaAdapter(fakePorts()),
    implementation,
    environment: environmentOf("lambda-eu", {
      config: {
        region: "eu-west-1",
        function: "switchyard-host",
        endpoint: url,
        network: "private",
        invocation: "sync",
      },
      openSecrets: async () => SECRETS,
    }),
    secrets: [SECRETS.secret_access_key],
    maxBytes: 6 * 1024 * 1024,
  };
}

describeAdapterContract("lambda, a function of the team's", () => setUp(ownFunction, FUNCTION), {
  ...NO_STOP,
  fails: "a function's error says nothing about trying again; lambda.test.ts has what it comes to",
});
describeAdapterContract("lambda, our host", () => setUp(host, MODULE), NO_STOP);

import { describeAdapterContract } from "../../../test/contracts/adapter/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { hostDialect, openLoopbackPlace } from "../../../test/contracts/adapter/loopback-place.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { azureFunctionAdapter } from "./azure-function.ts";

const SECRETS = { function_key: "the-function-key", host_secret: "the-host-secret" };
const MAX_BYTES = 4_096;

describeAdapterContract("azure-function, our host", async () => {
  const refusals = {
    throttled: { status: 429, headers: { "retry-after": "0" }, body: "" },
    refused: { status: 401, body: "" },
    missing: { status: 404, body: "" },
  };
  const dialect = hostDialect({ order: ({ body }) => body, wrap: (body) => ({ status: 200, body }) }, refusals);
  const { url, ...place } = await openLoopbackPlace(dialect);
  return {
    ...place,
    adapter: azureFunctionAdapter(fakePorts()),
    implementation: { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" },
    environment: environmentOf("az", {
      config: { url, max_body_bytes: MAX_BYTES, network: "private" },
      openSecrets: async () => SECRETS,
    }),
    secrets: Object.values(SECRETS),
    maxBytes: MAX_BYTES,
  };
});

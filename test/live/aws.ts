/**
 * The Lambda adapter on a real account of AWS, which costs money: only for whoever sets every variable below. It looks,
 * and then calls one function of one's own, which must answer JSON, once.
 *
 *     LIVE_AWS=yes AWS_REGION=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… [AWS_SESSION_TOKEN=…] LIVE_LAMBDA_FUNCTION=…
 *       [LIVE_LAMBDA_INPUT='{}'] node test/live/aws.ts
 */
import { lambdaAdapter } from "../../src/adapters/lambda/lambda.ts";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import { callOf } from "../contracts/adapter/call-of.ts";
import { fakePorts } from "../contracts/adapter/fake-ports.ts";

const NEEDED = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LIVE_LAMBDA_FUNCTION"] as const;
const TIMEOUT_MS = 60_000;

const { env } = process;
const missing = NEEDED.filter((name) => (env[name] ?? "") === "");
if (env["LIVE_AWS"] !== "yes") missing.push("LIVE_AWS=yes" as (typeof NEEDED)[number]);
if (missing.length > 0) {
  console.error(`Cannot call AWS: it needs every variable that it names; these are not set: ${missing.join(", ")}`);
  process.exit(2);
}

const functionName = env["LIVE_LAMBDA_FUNCTION"] ?? "";
const environment = environmentOf("live", {
  adapter: "lambda",
  config: { region: env["AWS_REGION"], function: functionName },
  openSecrets: async () => ({
    access_key_id: env["AWS_ACCESS_KEY_ID"] ?? "",
    secret_access_key: env["AWS_SECRET_ACCESS_KEY"] ?? "",
    ...(env["AWS_SESSION_TOKEN"] === undefined ? {} : { session_token: env["AWS_SESSION_TOKEN"] }),
  }),
});
const adapter = lambdaAdapter(fakePorts({ fetchOn: () => (request) => fetch(request) }));

console.log("check:", await adapter.check?.(environment));
const input: unknown = JSON.parse(env["LIVE_LAMBDA_INPUT"] ?? "{}");
const implementation = { kind: "lambda" as const, function: functionName, qualifier: null };
const outcome = await adapter.invoke(callOf(implementation, input, { environment, timeoutMs: TIMEOUT_MS }));
console.log("outcome:", outcome);
const absent = { kind: "lambda" as const, function: `${functionName}-not-there`, qualifier: null };
const refused = await adapter.invoke(callOf(absent, input, { environment, timeoutMs: TIMEOUT_MS }));
console.log("of a function that is not there:", refused);
process.exitCode = outcome.ok ? 0 : 1;

/**
 * What the Lambda adapter adds to a bare call of the SDK: both invoke the same function of the same endpoint, a server of
 * ours that answers at once, in turn and in one process, so that the endpoint's own time cancels out.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { callOf } from "../../test/contracts/adapter/call-of.ts";
import { fakePorts } from "../../test/contracts/adapter/fake-ports.ts";
import type { AdapterCall } from "../../src/adapters/adapter.ts";
import { lambdaAdapter } from "../../src/adapters/lambda/lambda.ts";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import { median } from "../_harness.ts";
import { ms, type Measured } from "../musts.ts";

const ROUNDS = 2_000;
const WARM_UP = 300;
const CREDENTIALS = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "example" };

export async function measureLambda(): Promise<Measured[]> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end('{"output_str":"hi"}'));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const bare = new LambdaClient({ region: "eu-west-1", endpoint, credentials: CREDENTIALS, maxAttempts: 1 });
    const adapter = lambdaAdapter(fakePorts());
    const call: AdapterCall = {
      ...callOf({ kind: "lambda", function: "echo", qualifier: null }, { input_str: "hi" }),
      environment: environmentOf("lambda-eu", {
        adapter: "lambda",
        config: { region: "eu-west-1", function: "echo", endpoint, network: "public", invocation: "sync" },
        openSecrets: async () => ({ access_key_id: "AKIAEXAMPLE", secret_access_key: "example" }),
      }),
    };
    const bareMs: number[] = [];
    const adapterMs: number[] = [];
    for (let round = 0; round < WARM_UP + ROUNDS; round++) {
      const startedAt = performance.now();
      const payload = new TextEncoder().encode(call.input);
      const answer = await bare.send(new InvokeCommand({ FunctionName: "echo", Payload: payload }));
      if (answer.StatusCode !== 200) throw new Error("the bare call failed");
      const betweenAt = performance.now();
      const outcome = await adapter.invoke(call);
      if (!outcome.ok) throw new Error(`the adapter's call failed: ${outcome.error.detail}`);
      if (round < WARM_UP) continue;
      bareMs.push((betweenAt - startedAt) * 1_000);
      adapterMs.push((performance.now() - betweenAt) * 1_000);
    }
    bare.destroy();
    const added = median(adapterMs) - median(bareMs);
    return [
      {
        measure: "Lambda adapter over a bare call of the SDK, p50",
        ours: `${ms(median(adapterMs))} (${added < 0 ? "" : "+ "}${ms(added)})`,
        beside: `the SDK alone: ${ms(median(bareMs))}`,
        must: "+ ≤ 1 ms",
        holds: added <= 1_000,
      },
    ];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/**
 * Other places to run, in numbers and against the musts they have to hold; `npm run bench -- adapters`, or a part of it:
 *
 *     adapters-runner   warm and cold calls on one runner of 8 slots, beside the same calls inline; a job that waits for it
 *     adapters-idle     processor time with 200 runners connected and nothing to do
 *     adapters-lambda   what the Lambda adapter adds to a bare call of the SDK
 */
import { measureIdleRunners } from "./adapters/idle.ts";
import { measureLambda } from "./adapters/lambda.ts";
import { measureRunner } from "./adapters/runner.ts";
import { printMusts } from "./musts.ts";

export async function adapters(): Promise<void> {
  printMusts([...(await measureRunner()), ...(await measureIdleRunners()), ...(await measureLambda())]);
}

export const ADAPTER_PARTS = {
  "adapters-runner": async () => printMusts(await measureRunner()),
  "adapters-idle": async () => printMusts(await measureIdleRunners()),
  "adapters-lambda": async () => printMusts(await measureLambda()),
};

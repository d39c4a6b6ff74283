/**
 * What every Executor (src/model/invocation.ts) keeps true, whoever runs the code and wherever: run on each
 * implementation by src/executor/executor.contract.test.ts. What only one of them does stands beside that one.
 */
import { afterAll, beforeAll, describe } from "vitest";
import type { Executor } from "../../src/model/invocation.ts";
import { answerCases } from "./_executor-answers.ts";
import { contextCases } from "./_executor-context.ts";
import { failureCases } from "./_executor-failures.ts";
import { groupCases } from "./_executor-groups.ts";
import { type Ask, groupRunnerOf, runnerOf } from "./_executor-order.ts";
import { wallCases } from "./_executor-walls.ts";

/**
 * ctx.call of the executor under test must lead to test/workerd/executor-edge.ts: it says what it was asked, and does
 * not know the operation `missing`. Its network must be public addresses only, as everywhere.
 */
export function describeExecutor(
  name: string,
  setUp: () => Promise<{ executor: Executor; ask: Ask; close(): Promise<void> }>,
): void {
  describe(name, () => {
    let started: Awaited<ReturnType<typeof setUp>> | undefined;
    beforeAll(async () => {
      started = await setUp();
    }, 30_000);
    afterAll(() => started?.close());

    const edge = () => {
      if (started === undefined) throw new Error(`${name} did not start`);
      return started;
    };
    const run = runnerOf(() => edge().executor);
    answerCases(run);
    failureCases(run);
    contextCases(run);
    wallCases(run);
    groupCases(
      run,
      groupRunnerOf(() => edge().ask),
    );
  });
}

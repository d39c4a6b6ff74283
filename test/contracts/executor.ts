/**
 * What every Executor (src/model/invocation.ts) keeps true, whoever runs the code and wherever: run on each
 * implementation by src/executor/executor.contract.test.ts. What only one of them does stands beside that one.
 */
import { afterAll, beforeAll, describe } from "vitest";
import type { Executor } from "../../src/model/invocation.ts";
import { answerCases } from "./_executor-answers.ts";
import { artifactCases } from "./_executor-artifacts.ts";
import { cancelCases } from "./_executor-cancel.ts";
import { contextCases } from "./_executor-context.ts";
import { failureCases } from "./_executor-failures.ts";
import { groupCases } from "./_executor-groups.ts";
import { handleCases } from "./_executor-handles.ts";
import { liveCases } from "./_executor-live.ts";
import { type Ask, groupRunnerOf, runnerOf } from "./_executor-order.ts";
import { wallCases } from "./_executor-walls.ts";

/**
 * ctx.call of the executor under test must lead to test/workerd/executor-edge.ts, whose _fake-platform.ts says
 * what it was asked. Its network must be public addresses only, as everywhere.
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
    const runGroup = groupRunnerOf(() => edge().ask);
    const ask: Ask = (path, init) => edge().ask(path, init);
    groupCases(run, runGroup);
    cancelCases(run, runGroup);
    liveCases(run, ask);
    handleCases(run, ask);
    artifactCases(run, ask);
  });
}

/** The adapter of the environment `inline`: runs a module in an isolate beside the platform, through the Executor port. */
import { SwitchyardError } from "../../core/errors.ts";
import { INLINE_ADAPTER } from "../../model/environment.ts";
import type { Executor } from "../../model/invocation.ts";
import { outcomeOfThrown, type Adapter, type IsolateSource } from "../adapter.ts";

export function inlineAdapter(executor: Executor, source: IsolateSource): Adapter {
  return {
    ...INLINE_ADAPTER,
    async invoke({ operation, input, meta, options }) {
      try {
        if (operation.implementation.kind !== "module") {
          throw new SwitchyardError(
            "no_environment",
            `Cannot run "${operation.name}" inline: its implementation must be a module; it is ${operation.implementation.kind}`,
          );
        }
        const id = source.isolateId(operation);
        return await executor.run(
          {
            id: typeof id === "string" ? id : await id,
            operation: operation.name,
            load: () => source.loadIsolate(operation),
          },
          input,
          meta,
          options,
        );
      } catch (thrown) {
        return outcomeOfThrown(thrown);
      }
    },
  };
}

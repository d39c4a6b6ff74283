/** The adapter of the environment `inline`: runs a module in an isolate beside the platform, through the Executor port. */
import { SwitchyardError } from "../../core/errors.ts";
import type { Executor, IsolateDefinition } from "../../model/invocation.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import { outcomeOfThrown, type Adapter } from "../adapter.ts";

/** Where an operation's isolate comes from: the registry, which knows code and secrets. */
export type IsolateSource = {
  /** operation + code hash + export + network list + secret versions: see IsolateSpec.id. */
  isolateId(operation: ResolvedOperation): string | Promise<string>;
  loadIsolate(operation: ResolvedOperation): Promise<IsolateDefinition>;
};

export function inlineAdapter(executor: Executor, source: IsolateSource): Adapter {
  return {
    name: "inline",
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

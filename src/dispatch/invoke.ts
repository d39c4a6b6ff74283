/** choose → invoke → check output: what a synchronous call and an attempt of an asynchronous one have in common. */
import type { Adapter, AdapterCall } from "../adapters/adapter.ts";
import type { InvocationMeta } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { checkOutput } from "./check-output.ts";
import { chooseAdapter, type EnvironmentPort } from "./choose.ts";

export type InvokePorts = {
  environments: EnvironmentPort;
  adapters: ReadonlyMap<string, Adapter>;
  /** What the handler presents for ctx.call: this principal, at this depth. */
  capability(principalId: string, depth: number): string | Promise<string>;
};

export type Invocation = {
  operation: ResolvedOperation;
  /** It fits the input type, defaults filled in. */
  input: { text: string; value: unknown };
  principal: Principal;
  /** Of this call; what the handler calls in turn is one deeper. */
  depth: number;
  meta: Omit<InvocationMeta, "capability">;
  options?: AdapterCall["options"];
  /** The steps that an attempt before has begun, when it is a chain. */
  steps?: AdapterCall["steps"];
};

/** Throws `no_environment` when nothing can run it; what the implementation did is an outcome. */
export async function invoke(
  { operation, input, principal, depth, meta, options, steps }: Invocation,
  ports: InvokePorts,
): Promise<{ outcome: Outcome; environment: string }> {
  const { adapter, environment } = await chooseAdapter(operation, ports.environments, ports.adapters);
  const invoked = await adapter.invoke({
    operation,
    input: input.text,
    inputValue: input.value,
    principal,
    meta: { ...meta, capability: await ports.capability(principal.id, depth + 1) },
    depth,
    ...(options === undefined ? {} : { options }),
    ...(steps === undefined ? {} : { steps }),
  });
  return { outcome: checkOutput(operation, invoked), environment };
}

/** The built-in function that looks at an environment. What looks is the adapter, which comes in as a port. */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import type { EnvironmentHandle } from "../../model/environment.ts";
import { NameSchema } from "../../model/names.ts";
import type { WiredFunction } from "./execution-functions.ts";
import { parseInput } from "./parse-input.ts";

const checkInput = v.strictObject({ name: NameSchema });
const checkOutput = v.strictObject({
  name: v.string(),
  adapter: v.string(),
  active: v.boolean(),
  reachable: v.boolean(),
  allowed: v.nullable(v.boolean()),
  latency_ms: v.nullable(v.number()),
  missing: v.array(v.string()),
  facts: v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])),
});
export type CheckedEnvironment = v.InferOutput<typeof checkOutput>;

export type EnvironmentPorts = {
  environments: { check(environment: EnvironmentHandle): Promise<CheckedEnvironment> };
};

export const ENVIRONMENT_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "check_environment",
    description:
      "Looks whether an environment is reachable, lets the platform in, how fast it answers, and what is missing.",
    scope: "registry:read",
    input: () => checkInput,
    output: () => checkOutput,
    async run(name, { input, ports, registry }) {
      const { name: wanted } = parseInput(checkInput, input, name);
      const environment = await registry.environment(wanted);
      if (environment !== undefined) return ports.environments.check(environment);
      throw new SwitchyardError(
        "entity_not_found",
        `Cannot check the environment "${wanted}": there is none of that name`,
        {
          hint: "opctl get environments",
        },
      );
    },
  },
];

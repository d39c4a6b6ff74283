/** A built-in function's input, checked: the same function is reached by routes, which no stored type guards. */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import { issuesOf } from "../../model/issues.ts";
import type { Json } from "../schema.ts";

export function parseInput<T extends v.GenericSchema>(schema: T, input: unknown, name: string): v.InferOutput<T> {
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  const { issues, ...hint } = issuesOf(result.issues, schema);
  const [first] = issues;
  throw new SwitchyardError(
    "input_invalid",
    `Cannot run "${name}": its input must fit its type; ${first.pointer || "it"}: ${first.detail}`,
    { errors: issues, ...hint },
  );
}

/** Leaves out what is undefined. */
export function optional<T extends Json>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** What the jobs of examples/counters call: a counter somewhere outside, one higher. */

export type PlusOneInput = {
  /** The counter's path in the agent's state. */
  path: string;
  value: number;
};

export type PlusOneOutput = { path: string; value: number };

/** Counts one further. */
export function plus_one(input: PlusOneInput): PlusOneOutput {
  return { path: input.path, value: input.value + 1 };
}

/** A measure, what it must be and whether it is: one line of the table that a benchmark ends with. */

export type Measured = {
  measure: string;
  ours: string;
  /** The peer's number from the same run, or what ours is compared with. */
  beside: string;
  must: string;
  /** undefined: nothing to compare with was there. */
  holds: boolean | undefined;
};

export function printMusts(rows: readonly Measured[]): void {
  console.log("\n| measure | ours | beside it | must | holds |\n|---|---|---|---|---|");
  for (const { measure, ours, beside, must, holds } of rows)
    console.log(`| ${measure} | ${ours} | ${beside} | ${must} | ${verdict(holds)} |`);
}

function verdict(holds: boolean | undefined): string {
  if (holds === undefined) return "NOT MEASURED";
  return holds ? "yes" : "NO";
}

export const ms = (microseconds: number): string => `${(microseconds / 1000).toFixed(2)} ms`;
export const times = (factor: number): string => `× ${factor.toFixed(2)}`;

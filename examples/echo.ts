/**
 * Says back what it was told. Two handlers in one file, so that an operation can be pointed from one to the other by
 * editing its row: `opctl edit operation NAME -s implemented_at=echo:echo2`.
 */

export interface EchoInput {
  input_str: string;
}

export interface EchoOutput {
  output_str: string;
}

export interface EchoOutput2 {
  output_str: string;
  /** Length in UTF-16 code units.
   * @asType integer
   * @minimum 0
   */
  output_len: number;
}

/** Says back what it was told. */
export function echo(input: EchoInput): EchoOutput {
  return { output_str: input.input_str };
}

/** Says back what it was told, and how long that was. */
export function echo2(input: EchoInput): EchoOutput2 {
  return { output_str: input.input_str, output_len: input.input_str.length };
}

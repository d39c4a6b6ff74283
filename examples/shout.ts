/** The second half of a chain: takes what `echo` answers. `opctl chain 'echo(input_str="hi") | shout'` → HI! */

export interface ShoutInput {
  output_str: string;
}

export interface ShoutOutput {
  output_str: string;
}

/** Says it louder. */
export function shout(input: ShoutInput): ShoutOutput {
  return { output_str: `${input.output_str.toUpperCase()}!` };
}

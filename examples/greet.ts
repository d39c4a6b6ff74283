/**
 * One operation that uses another: `ctx.call` runs `echo` by its name, whatever it is implemented by today, with the
 * rights of whoever called this one. Needs examples/echo.ts#echo to be deployed.
 */
import type { Context } from "switchyard";

export interface GreetInput {
  /** @minLength 1 */
  name: string;
}

export interface GreetOutput {
  greeting: string;
}

/** Greets by way of the operation `echo`. */
export async function greet(input: GreetInput, ctx: Context): Promise<GreetOutput> {
  ctx.log.info("greeting", input.name);
  const { output_str } = await ctx.call<{ output_str: string }>("echo", { input_str: `Hello, ${input.name}!` });
  return { greeting: output_str };
}

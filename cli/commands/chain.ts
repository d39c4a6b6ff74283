/**
 * `opctl chain`: operations one after another, each given the output object of the one before. The steps are separate
 * calls under one trace; nothing is undone when a later one fails, and the error names the step.
 */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { continueTrace } from "../../src/core/trace.ts";
import { parseChain, type Step } from "../chain/parse.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import type { JsonObject } from "../registry.ts";

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<steps>", "operations with their arguments, joined by `|`, as one quoted word")
      .action(async (text: string) => {
        await chain(contextOf(command), parseChain(text));
      });
    examples(command, [
      [`opctl chain 'echo(input_str="hi") | shout'`, "the output object of one is the input of the next"],
      [`opctl chain 'echo(input_str=hi) | shout(output_str=override)'`, "arguments on the right side override"],
      [`opctl chain 'echo@1(input_str=hi) | shout'`, "a revision"],
    ]);
  },
};

async function chain(context: Context, steps: readonly Step[]): Promise<void> {
  const traceparent = continueTrace(undefined);
  let output = "";
  for (const [index, step] of steps.entries()) {
    const place = `step ${index + 1} of ${steps.length} (${step.operation})`;
    const input = index === 0 ? JSON.stringify(step.args) : nextInput(output, step, place);
    try {
      const answer = await context.client.request("POST", `/ops/${step.operation}`, {
        body: input,
        headers: { traceparent },
      });
      output = answer.text;
    } catch (error) {
      throw error instanceof SwitchyardError ? inStep(error, place) : error;
    }
    if (index < steps.length - 1) context.output.progress(`${place}: ok`);
  }
  context.output.data(output);
}

/** The text is handed on as it is when nothing overrides it, so that no digit of a number is lost on the way. */
function nextInput(output: string, step: Step, place: string): string {
  if (Object.keys(step.args).length === 0) return output;
  const value: unknown = JSON.parse(output);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return JSON.stringify({ ...(value as JsonObject), ...step.args });
  }
  throw new SwitchyardError(
    "usage",
    `Cannot give arguments to ${place}: they are set on the object that the step before answers; it is ${output.slice(0, 80)}`,
    { hint: "Leave the arguments out to hand the value on as it is." },
  );
}

function inStep(error: SwitchyardError, place: string): SwitchyardError {
  return new SwitchyardError(error.code, `${place}: ${error.message}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    cause: error,
  });
}

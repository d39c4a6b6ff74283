/** `opctl explain`: the error table, in the table's own words. */
import type { Command } from "commander";
import { didYouMean } from "../../src/core/did-you-mean.ts";
import { ERRORS, isErrorCode, SwitchyardError, type ErrorCode } from "../../src/core/errors.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { renderTable } from "../render/table.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];

export const command: CommandModule = {
  define(command: Command) {
    command.argument("[code]", "a problem's code; without it all are listed").action((code: string | undefined) => {
      const { output, globals } = contextOf(command);
      if (code === undefined) {
        if (globals.json) output.value(CODES.map(entryOf));
        else
          output.data(
            renderTable(
              ["code", "status", "exit", "title"],
              CODES.map((each) => [each, ERRORS[each].status, exitCodeOf(each), ERRORS[each].title]),
            ),
          );
        return;
      }
      const found = parseCode(code);
      if (globals.json) return output.value(entryOf(found));
      const { title, status, fault, explain } = ERRORS[found];
      const whose = fault === "user" ? "the caller can mend it" : "on the platform's or the operation's side";
      output.data(
        `${found}: ${title}\n\n${explain}\n\nHTTP status ${status}, opctl exit code ${exitCodeOf(found)}; ${whose}.`,
      );
    });
    examples(command, [
      ["opctl explain input_invalid", "what it means and what to do"],
      ["opctl explain", "the whole table"],
    ]);
  },
};

function entryOf(code: ErrorCode): object {
  return { code, ...ERRORS[code], exit_code: exitCodeOf(code) };
}

function parseCode(text: string): ErrorCode {
  const code = text.trim().toLowerCase().replaceAll("-", "_");
  if (isErrorCode(code)) return code;
  const near = didYouMean(code, CODES);
  throw new SwitchyardError("usage", `Cannot explain "${text}": it must be an error code; there is none of that name`, {
    hint: near === undefined ? "`opctl explain` lists them all." : `Did you mean "${near}"?`,
  });
}

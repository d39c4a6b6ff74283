/** A door as a program of its own, for bundling: 0 when it has done its work, 1 when not, 2 when it could not begin. */
import { toSwitchyardError } from "../../core/errors.ts";
import { redactLine } from "../../core/redact.ts";

type Main = (env: NodeJS.ProcessEnv, log: (line: string) => void) => Promise<boolean | void>;

export async function runProgram(main: Main): Promise<never> {
  try {
    process.exit((await main(process.env, log)) === false ? 1 : 0);
  } catch (thrown) {
    const { message, hint } = toSwitchyardError(thrown);
    log(`error: ${message}`);
    if (hint !== undefined) log(`next:  ${hint}`);
    process.exit(2);
  }
}

function log(line: string): void {
  process.stdout.write(`${redactLine(line)}\n`);
}

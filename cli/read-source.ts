/** What is given as it stands, as `@file`, or as `-` for stdin. */
import { readFileSync } from "node:fs";
import { SwitchyardError } from "../src/core/errors.ts";

/** `what` is for the error: "the input". Throws usage. */
export function readSource(what: string, source: string): string {
  if (source !== "-" && !source.startsWith("@")) return source;
  const file = source === "-" ? 0 : source.slice(1);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new SwitchyardError(
      "usage",
      `Cannot read ${what} from "${source}": the file must be readable; ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

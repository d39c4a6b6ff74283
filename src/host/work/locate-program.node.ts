/** Where a program lies, as it would be run from here: the allow-list and the run ask the same function, so they mean the same file. */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import path from "node:path";
import type { Located } from "../allow.ts";

type Where = { cwd?: string; searchPath?: string };

/** Also finds folders, which allow-lists name. Undefined: nothing is there, or may not be looked at. */
export function locateProgram(program: string, where: Where = {}): Located | undefined {
  if (program.includes("\0")) return undefined;
  if (program.includes("/")) return locate(path.resolve(where.cwd ?? process.cwd(), program));
  for (const folder of (where.searchPath ?? process.env["PATH"] ?? "").split(path.delimiter)) {
    // An empty or relative entry means the working directory: a name never runs what happens to lie there.
    if (!path.isAbsolute(folder)) continue;
    const found = path.join(folder, program);
    if (isProgram(found)) return locate(found);
  }
  return undefined;
}

function locate(absolute: string): Located | undefined {
  try {
    const real = realpathSync(absolute);
    return { path: path.join(realpathSync(path.dirname(absolute)), path.basename(absolute)), real };
  } catch {
    return undefined;
  }
}

/** A file that may be run. */
export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

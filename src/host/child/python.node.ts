/**
 * The Python child of a host: python3 that reads no environment and no site packages. Its two files go along as one
 * argument, so that no folder need be readable or written.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";

let script: string | undefined;
let binary: string | undefined;

/** The command of a child. Throws environment_misconfigured where this machine has no Python that would do. */
export function pythonCommand(): string[] {
  return [(binary ??= pythonBinary()), "-I", "-S", "-X", "utf8", "-c", (script ??= pythonChild())];
}

/** Python's own file: `python3` on PATH may be a shell script that looks for it each time. */
function pythonBinary(): string {
  const ask = "import sys; print(sys.executable, *sys.version_info[:2], sep='\\n')";
  let answer: string;
  try {
    answer = execFileSync("python3", ["-I", "-S", "-c", ask], {
      encoding: "utf8",
      timeout: 10_000,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (thrown) {
    throw unusable("missing or does not run", thrown);
  }
  const [file = "", major, minor] = answer.trim().split("\n");
  if (major !== "3" || Number(minor) < 10 || file === "") throw unusable(`${major}.${minor}`);
  return file;
}

function unusable(found: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError(
    "environment_misconfigured",
    `Cannot run Python modules: the host needs python3, 3.10 or newer, on PATH; it is ${found}`,
    { hint: "Install Python 3.10 or newer where the host runs.", cause },
  );
}

function pythonChild(): string {
  const limits = { jsonBytes: LIMITS.jsonBytes, jsonDepth: LIMITS.jsonDepth };
  const all = { ...limits, logLines: LIMITS.logLines, logLineChars: LIMITS.logLineChars };
  // A JSON text is a Python literal too, where it holds texts and numbers only.
  return [
    "import sys, types",
    'values = sys.modules["switchyard_values"] = types.ModuleType("switchyard_values")',
    `exec(compile(${JSON.stringify(sourceOf("switchyard_values.py"))}, "switchyard_values.py", "exec"), vars(values))`,
    'child = sys.modules["switchyard_child"] = types.ModuleType("switchyard_child")',
    `child.LIMITS = ${JSON.stringify(all)}`,
    `exec(compile(${JSON.stringify(sourceOf("switchyard_child.py"))}, "switchyard_child.py", "exec"), vars(child))`,
  ].join("\n");
}

/** Beside this file in the repository; in a package, beside what was built of it or a folder above. */
function sourceOf(name: string): string {
  const here = import.meta.dirname;
  const places = [here, path.join(here, ".."), path.join(here, "child")].map((folder) => path.join(folder, name));
  const file = places.find((place) => existsSync(place));
  if (file !== undefined) return readFileSync(file, "utf8");
  throw new SwitchyardError(
    "environment_misconfigured",
    `Cannot run Python modules: ${name} must lie beside the host; it is missing from ${here}`,
  );
}

/**
 * A Python file → what `deploy` stores: the file as it is and, for each handler, the types that its hints say. They are
 * read by the developer's own python3, which imports the file.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { SwitchyardError, type ErrorCode } from "../../../src/core/errors.ts";
import { sha256 } from "../../../src/core/hash.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { CodeType, Module } from "../../../src/model/entities.ts";
import type { BuiltModule } from "../build-module.ts";
import { snakeCase } from "../snake-case.ts";
import { to2020 } from "../_to-2020-12.ts";
import { packageFolder } from "../workers.ts";

type ReadType = { name: string | null; schema: true | Record<string, unknown>; warnings: string[] };
type ReadHandler = { description: string; place: string } & (
  | { unreadable: string }
  | { unreadable?: undefined; input: ReadType; output: ReadType }
);
type Answer =
  | { error: { code: ErrorCode; detail: string; hint: string } }
  | { error?: undefined; handlers: Record<string, ReadHandler> };

export async function buildPythonModule(file: string, wanted?: string): Promise<BuiltModule> {
  const absolute = path.resolve(file);
  const code = readSource(file, absolute);
  const answer = await readTypes(file, absolute);
  if (answer.error !== undefined) {
    const { code: what, detail, hint } = answer.error;
    throw new SwitchyardError(what, detail, hint === "" ? {} : { hint });
  }
  const chosen = choose(file, wanted, Object.keys(answer.handlers));
  const exports: Module["exports"] = {};
  const warnings: string[] = [];
  for (const [name, handler] of Object.entries(answer.handlers)) {
    if (handler.unreadable !== undefined) {
      // Python has no exports: a function without hints that was not asked for is a helper.
      if (name === chosen) throw unreadable(name, handler.place, handler.unreadable);
      continue;
    }
    const { description, input, output, place } = handler;
    exports[name] = { description: description.slice(0, 4000), input: typeOf(input), output: typeOf(output) };
    if (name === chosen) warnings.push(...[...input.warnings, ...output.warnings].map((each) => `${place}: ${each}`));
  }
  const sizeBytes = Buffer.byteLength(code);
  const bundle = { code, sha256: await sha256(code), sizeBytes, exports: Object.keys(exports), inputs: [absolute] };
  return { language: "python", bundle, exports, export: chosen, warnings, files: [absolute] };
}

function readSource(file: string, absolute: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(absolute);
  } catch {
    throw new SwitchyardError("bundle_failed", `Cannot read "${file}": there must be such a file; it is missing`, {
      hint: "Give the path of a .py file, relative to the current folder.",
    });
  }
  if (bytes.length > LIMITS.moduleBytes) {
    const rule = `a module must be at most ${LIMITS.moduleBytes} bytes; it is ${bytes.length}`;
    throw new SwitchyardError("bundle_failed", `Cannot take "${file}": ${rule}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SwitchyardError("bundle_failed", `Cannot take "${file}": it must be UTF-8; it is not`);
  }
}

async function readTypes(file: string, absolute: string): Promise<Answer> {
  const { reader, values } = scripts(packageFolder());
  try {
    const { stdout } = await promisify(execFile)("python3", ["-I", reader, absolute, values, path.basename(file)], {
      maxBuffer: 64 * 1024 * 1024,
      timeout: 60_000,
    });
    return JSON.parse(stdout) as Answer;
  } catch (thrown) {
    const missing = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new SwitchyardError(
      "bundle_failed",
      missing
        ? `Cannot read the types of "${file}": python3 must be on PATH; it is not`
        : `Cannot read the types of "${file}": python3 must read them; ${why}`,
      { hint: "Install Python 3.10 or newer.", cause: thrown },
    );
  }
}

/** The script that reads types, and the folder of what it imports: as they are written, or as the package has them. */
function scripts(root: string): { reader: string; values: string } {
  const built = path.join(root, "dist/python");
  const reader = path.join(root, "cli/build/python/read_types.py");
  if (!existsSync(reader)) return { reader: path.join(built, "read_types.py"), values: built };
  return { reader, values: path.join(root, "src/host/child") };
}

function choose(file: string, wanted: string | undefined, handlers: readonly string[]): string {
  const name = wanted ?? (handlers.length === 1 ? handlers[0] : undefined);
  if (name !== undefined && handlers.includes(name)) return name;
  const listed = handlers.length === 0 ? "none" : handlers.join(", ");
  throw new SwitchyardError(
    "usage",
    wanted === undefined
      ? `Cannot choose what to deploy from "${file}": one of its functions must be named; it has ${listed}`
      : `Cannot deploy "${file}#${wanted}": it must be one of the file's functions; it has ${listed}`,
    {
      hint:
        handlers.length === 0
          ? "Write the handler at the file's top level: def hello(input: HelloInput) -> HelloOutput: …"
          : `opctl deploy ${file}#${handlers[0]}`,
    },
  );
}

function unreadable(name: string, place: string, reason: string): SwitchyardError {
  return new SwitchyardError(
    "types_unreadable",
    `Cannot read the types of "${name}": its hints must have a JSON form; it is at ${place}: ${reason}`,
    { hint: "Give the input and the output a dataclass, a TypedDict or a builtin type." },
  );
}

function typeOf({ name, schema }: ReadType): CodeType {
  const converted = schema === true ? true : to2020(schema);
  const any = typeof converted === "object" && Object.keys(converted).length === 0;
  const typeName = name === null ? undefined : snakeCase(name);
  return { ...(typeName === undefined ? {} : { name: typeName }), schema: any ? true : converted };
}

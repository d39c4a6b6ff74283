/**
 * A source file → what `deploy` stores: the bundled code and, for each exported handler, the types found in the code.
 *
 * For each side of a handler the first that speaks counts: a schema exported for that handler (`echoInput`, `echo_input`),
 * the schema that its annotation is inferred from, the annotation, the file's `input` or `output` schema, and else `true` (any) with a warning.
 */
import path from "node:path";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { CodeType, Module, ModuleLanguage } from "../../src/model/entities.ts";
import { bundle, type Bundle } from "./bundle.ts";
import { buildPythonModule } from "./python/build-python-module.ts";
import { snakeCase } from "./snake-case.ts";
import { standardSchemas, type SchemaReading } from "./standard-schemas.ts";
import { typesFromCode, type CodeTypes, type HandlerTypes, type TypeReading } from "./types-from-code.ts";

export type BuiltModule = {
  language: ModuleLanguage;
  bundle: Bundle;
  exports: Module["exports"];
  /** The export that is deployed: the one asked for, the default one, or the only one. */
  export: string;
  warnings: string[];
  /** Absolute paths of the files that a change of would change this. */
  files: string[];
};

type Side = "input" | "output";
type Resolved = { type: CodeType; warnings: string[] } | { error: SwitchyardError };

/** `wanted` undefined means the default export or the only handler. */
export async function buildModule(file: string, wanted?: string): Promise<BuiltModule> {
  if (file.endsWith(".py")) return buildPythonModule(file, wanted);
  const built = await bundle(file);
  const code = typesFromCode(file);
  const candidates = [...code.values, ...code.opaque].filter((name) => isSchemaName(name, code.handlers));
  const schemas = await standardSchemas(file, candidates);
  const handlers = built.exports.filter(
    (name) => code.handlers.has(name) || (code.opaque.includes(name) && name === wanted),
  );
  const chosen = chooseExport(file, wanted, handlers, built.exports);
  const warnings: string[] = [];
  const entries: Module["exports"] = {};
  for (const name of handlers) {
    const read = code.handlers.get(name);
    const input = resolveSide(name, "input", read, { file, schemas });
    const output = resolveSide(name, "output", read, { file, schemas });
    const failed = "error" in input ? input.error : "error" in output ? output.error : undefined;
    if (failed !== undefined) {
      if (name === chosen) throw failed;
      warnings.push(`The export "${name}" is left out: ${failed.message}`);
      continue;
    }
    if ("error" in input || "error" in output) continue;
    entries[name] = { description: read?.description ?? "", input: input.type, output: output.type };
    if (name === chosen) warnings.unshift(...input.warnings, ...output.warnings);
  }
  const files = [...new Set([...built.inputs, ...code.files])];
  return { language: "javascript", bundle: built, exports: entries, export: chosen, warnings, files };
}

function chooseExport(file: string, wanted: string | undefined, handlers: string[], exported: string[]): string {
  const listed = handlers.length === 0 ? "none" : handlers.join(", ");
  const name = wanted ?? (handlers.includes("default") ? "default" : handlers.length === 1 ? handlers[0] : undefined);
  if (name !== undefined && handlers.includes(name)) return name;
  const base = path.basename(file);
  if (handlers.length === 0) {
    throw new SwitchyardError(
      "usage",
      `Cannot deploy "${file}": the file must export a function; it exports ${exported.length === 0 ? "nothing" : exported.join(", ")}`,
      { hint: "Export the handler: export function hello(input: HelloInput): HelloOutput { … }" },
    );
  }
  throw new SwitchyardError(
    "usage",
    wanted === undefined
      ? `Cannot choose what to deploy from "${file}": one of several handlers must be named; it exports ${listed}`
      : `Cannot deploy "${file}#${wanted}": the export must be one of the file's handlers; it exports ${listed}`,
    { hint: `opctl deploy ${file}#${handlers[0] ?? base}` },
  );
}

function resolveSide(
  name: string,
  side: Side,
  read: HandlerTypes | undefined,
  { file, schemas }: { file: string; schemas: ReadonlyMap<string, SchemaReading> },
): Resolved {
  const reading: TypeReading = read?.[side] ?? { kind: "silent", place: file };
  const inferredFrom = read?.inferredFrom[side];
  const schemaName = [
    ...schemaNames(name, side),
    ...(inferredFrom === undefined ? [] : [inferredFrom]),
    ...(reading.kind === "type" ? [] : [side]),
  ].find((candidate) => schemas.has(candidate));
  if (schemaName !== undefined) return fromSchema(name, side, schemaName, schemas.get(schemaName));
  if (reading.kind === "type") return reading;
  if (reading.kind === "silent") {
    const how = side === "input" ? `${name}(input: SomeInput)` : `${name}(…): SomeOutput`;
    return {
      type: { schema: true },
      warnings: [
        `${reading.place}: the ${side} of "${name}" has no type, so anything is accepted. Annotate it (${how}), export a Standard Schema named "${side}", or set ${side}_type on the operation.`,
      ],
    };
  }
  return {
    error: new SwitchyardError(
      "types_unreadable",
      `Cannot read the ${side} type of "${name}": it must have a JSON form; it is at ${reading.place}: ${reading.reason}`,
      {
        hint: `Write it as a plain interface in the file, or export a Standard Schema named "${schemaNames(name, side)[0]}".`,
      },
    ),
  };
}

function fromSchema(name: string, side: Side, schemaName: string, reading: SchemaReading | undefined): Resolved {
  if (reading === undefined || !reading.ok) {
    return {
      error: new SwitchyardError(
        "types_unreadable",
        `Cannot read the ${side} type of "${name}": the schema "${schemaName}" must have a JSON form; ${reading?.reason ?? "it has none"}`,
        { hint: "Leave transformations and types that JSON cannot carry out of it, or annotate the handler." },
      ),
    };
  }
  const schema = reading[side];
  const empty =
    typeof schema === "object" &&
    Object.keys(schema).every((keyword) => keyword === "$schema" || keyword === "description");
  // `input` and `output` say what they are for, not what they are: such a type has no name.
  const typeName = schemaName === side ? undefined : snakeCase(schemaName.replace(/Schema$/, ""));
  return {
    type: empty ? { schema: true } : { ...(typeName === undefined ? {} : { name: typeName }), schema },
    warnings: empty ? [`The schema "${schemaName}" accepts anything, so the ${side} of "${name}" is not checked.`] : [],
  };
}

/** The names under which a handler's own schema may be exported. */
function schemaNames(handler: string, side: Side): string[] {
  const capital = `${side.charAt(0).toUpperCase()}${side.slice(1)}`;
  const upper = `${handler.charAt(0).toUpperCase()}${handler.slice(1)}`;
  return [`${handler}${capital}`, `${handler}_${side}`, `${upper}${capital}`, `${handler}${capital}Schema`];
}

function isSchemaName(name: string, handlers: CodeTypes["handlers"]): boolean {
  if (name === "input" || name === "output") return true;
  return [...handlers].some(
    ([handler, { inferredFrom }]) =>
      inferredFrom.input === name ||
      inferredFrom.output === name ||
      schemaNames(handler, "input").includes(name) ||
      schemaNames(handler, "output").includes(name),
  );
}

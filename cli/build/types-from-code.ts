/**
 * The types of a file's handlers as JSON Schema 2020-12, read from their annotations. Never a silent `{}`: what cannot be
 * read is an error that names the place and the remedy, and what says nothing is `true` (any) with a warning. Objects
 * are closed unless the type has an index signature, so that a mistyped member of a call is caught.
 *
 * How: TypeScript finds the annotations; aliases of them are appended to in-memory copies of the files; the schema
 * generator turns each alias into a schema, which is then checked for holes and moved to 2020-12.
 */
import path from "node:path";
import { createFormatter, createParser, DEFAULT_CONFIG, SchemaGenerator } from "ts-json-schema-generator";
import type { CodeType } from "../../src/model/entities.ts";
import { createProgram } from "./_program.ts";
import { readHandlers, type Annotation, type Handler } from "./_read-handlers.ts";
import { MarkedParser, NoJsonForm, WRITTEN_ANY, WRITTEN_DATE } from "./_marked-parser.ts";
import { to2020, walkSchema } from "./_to-2020-12.ts";
import type { TypeScript } from "./_typescript.ts";

/** One side of a handler. `silent`: the code says nothing, so a Standard Schema may. */
export type TypeReading =
  | { kind: "type"; type: CodeType; warnings: string[] }
  | { kind: "silent"; place: string }
  | { kind: "unreadable"; place: string; reason: string };

export type HandlerTypes = {
  description: string;
  input: TypeReading;
  output: TypeReading;
  /** Constants that the annotations are inferred from. Where they are Standard Schemas, they say more. */
  inferredFrom: { input: string | undefined; output: string | undefined };
};

export type CodeTypes = {
  handlers: Map<string, HandlerTypes>;
  /** Other exported values, which may be Standard Schemas. */
  values: string[];
  /** Exports of which nothing is known, not even whether they are functions. */
  opaque: string[];
  /** Absolute paths of the files that were read, packages and TypeScript's own left out. */
  files: string[];
};

const CONFIG = {
  ...DEFAULT_CONFIG,
  expose: "all",
  topRef: false,
  jsDoc: "extended",
  functions: "fail",
  encodeRefs: false,
  strictTuples: true,
  skipTypeCheck: true,
} as const;

export function typesFromCode(file: string): CodeTypes {
  const entry = path.resolve(file);
  const program = createProgram([entry]);
  const { handlers, values, opaque } = readHandlers(program, entry);
  const generate = schemaGenerator(program, entry, handlers);
  return {
    values,
    opaque,
    files: program
      .getSourceFiles()
      .map((source) => path.resolve(source.fileName))
      .filter((name) => !name.includes(`${path.sep}node_modules${path.sep}`)),
    handlers: new Map(
      handlers.map((handler) => [
        handler.export,
        {
          description: handler.description,
          input: reading(handler, "input", generate),
          output: reading(handler, "output", generate),
          inferredFrom: {
            input: handler.input === "none" ? undefined : handler.input?.inferredFrom,
            output: handler.output?.inferredFrom,
          },
        },
      ]),
    ),
  };
}

type Generate = (annotation: Annotation) => Record<string, unknown>;

function reading(handler: Handler, side: "input" | "output", generate: Generate): TypeReading {
  const annotation = handler[side];
  const { place, unreadable } = handler;
  if (unreadable !== undefined) return { kind: "unreadable", place, reason: unreadable };
  if (annotation === undefined) return { kind: "silent", place };
  if (annotation === "none") return { kind: "type", type: { schema: true }, warnings: [] };
  try {
    const schema = to2020(generate(annotation));
    if (typeof schema === "object" && schema["not"] !== undefined) {
      return { kind: "unreadable", place: annotation.place, reason: `no JSON value is ${annotation.text}; use null` };
    }
    const hole = findHole(schema);
    if (hole !== undefined) {
      return {
        kind: "unreadable",
        place: annotation.place,
        reason: `${annotation.text} leaves "${hole}" without any type: it is not known there, or too clever to follow`,
      };
    }
    const { anys, dates, cleaned } = takeMarks(schema);
    return {
      kind: "type",
      type: { ...(annotation.name === undefined ? {} : { name: annotation.name }), schema: cleaned },
      warnings: [
        ...anys.map((pointer) => `${annotation.place}: "${pointer}" is any or unknown, so nothing there is checked.`),
        ...(side === "output" ? [] : dates).map(
          (pointer) =>
            `${annotation.place}: "${pointer}" is a Date, but arrives as text; write string with @format date-time.`,
        ),
      ],
    };
  } catch (error) {
    return { kind: "unreadable", place: annotation.place, reason: reasonOf(error, annotation) };
  }
}

/** One program for all aliases: a program is what takes the time. */
function schemaGenerator(program: TypeScript.Program, entry: string, handlers: readonly Handler[]): Generate {
  const overlays = new Map<string, string>();
  const aliases = new Map<Annotation, string>();
  for (const { file, input, output } of handlers) {
    for (const annotation of [input, output]) {
      if (annotation === undefined || annotation === "none") continue;
      const alias = `Switchyard_alias_${aliases.size}`;
      aliases.set(annotation, alias);
      const text = overlays.get(path.resolve(file)) ?? program.getSourceFile(file)?.text ?? "";
      overlays.set(path.resolve(file), `${text}\nexport type ${alias} = ${annotation.text};`);
    }
  }
  const withAliases = createProgram([...new Set([entry, ...overlays.keys()])], { overlays, previous: program });
  return (annotation) => {
    const type = aliases.get(annotation) ?? "";
    const config = { ...CONFIG, type };
    const parser = createParser(withAliases, config, (chain) => chain.addNodeParser(new MarkedParser(withAliases)));
    return new SchemaGenerator(withAliases, parser, createFormatter(config), config).createSchema(type) as Record<
      string,
      unknown
    >;
  };
}

/** Where a schema says nothing although nobody wrote `any` there. */
function findHole(root: ReturnType<typeof to2020>): string | undefined {
  let hole: string | undefined;
  walkSchema(root, (schema, pointer) => {
    if (hole !== undefined || pointer.endsWith("/not") || typeof schema === "boolean") return;
    const says = Object.keys(schema).filter(
      (keyword) => !/^(?:\$defs|description|default|title|examples)$/.test(keyword),
    );
    if (says.length === 0) hole = pointer === "" ? "/" : pointer;
  });
  return hole;
}

/** Removes the marks of what was written, and answers where they were. */
function takeMarks(root: ReturnType<typeof to2020>): {
  anys: string[];
  dates: string[];
  cleaned: CodeType["schema"];
} {
  const found = { [WRITTEN_ANY]: [] as string[], [WRITTEN_DATE]: [] as string[] };
  walkSchema(root, (schema, pointer) => {
    if (typeof schema === "boolean") return;
    const mark = schema["$comment"];
    if (mark !== WRITTEN_ANY && mark !== WRITTEN_DATE) return;
    delete schema["$comment"];
    found[mark].push(pointer === "" ? "/" : pointer);
  });
  const cleaned = typeof root === "object" && Object.keys(root).length === 0 ? true : root;
  return { anys: found[WRITTEN_ANY], dates: found[WRITTEN_DATE], cleaned };
}

function reasonOf(error: unknown, annotation: Annotation): string {
  if (error instanceof NoJsonForm) return `${annotation.text}: ${error.message}`;
  const cause = error instanceof Error && error.cause instanceof NoJsonForm ? error.cause.message : undefined;
  if (cause !== undefined) return `${annotation.text}: ${cause}`;
  const message = error instanceof Error ? error.message : String(error);
  if (/FunctionType|MethodSignature/.test(message)) {
    return `${annotation.text} leads through a function's type, which has no JSON form`;
  }
  return `${annotation.text} cannot be followed (${message.split("\n")[0] ?? ""})`;
}

/** A TypeScript file with a client of some operations: their types, and the code that calls them. It needs nothing else. */
import type { Selection, TypedOperations } from "./document.ts";
import { headerText } from "./header.ts";
import { TypeNames } from "./names.ts";
import { RUNTIME_NAMES, RUNTIME_TEXT } from "./runtime-text.ts";
import { docComment, documented, typeText, type TypeScope } from "./type-text.ts";

export function generateClient(found: TypedOperations, selection: Selection): string {
  const { operations, codes, resolve } = found;
  const names = new TypeNames(RUNTIME_NAMES);
  const declared = new Map<string, string>();
  const declarations: string[] = [];
  const pending: { name: string; reference: string }[] = [];
  const scope: TypeScope = {
    resolve,
    nameOf(reference) {
      let name = declared.get(reference);
      if (name === undefined) {
        name = names.give(...wordsOf(reference));
        declared.set(reference, name);
        pending.push({ name, reference });
      }
      return name;
    },
  };
  const declare = (name: string, schema: unknown, within: readonly string[] = []): string =>
    `${documented(schema)}export type ${name} = ${typeText(schema, scope, within)};\n`;

  const rows: string[] = [];
  for (const { name, description, input, output } of operations) {
    const sides = (["input", "output"] as const).map((side) => {
      const schema = side === "input" ? input : output;
      const reference = typeof schema === "object" ? schema["$ref"] : undefined;
      if (typeof reference === "string") return scope.nameOf(reference);
      const given = names.give(name, side);
      declarations.push(declare(given, schema));
      return given;
    });
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      declarations.push(declare(next.name, resolve(next.reference), [next.reference]));
    }
    const row = `${docComment(description)}${JSON.stringify(name)}: { input: ${sides[0] ?? ""}; output: ${sides[1] ?? ""} };`;
    rows.push(row.replaceAll(/^/gm, "  "));
  }
  const later = operations.filter(({ isAsync }) => isAsync).map(({ name }) => JSON.stringify(name));
  return [
    `${headerText(found, selection)}\n`,
    `export type Operations = {\n${rows.join("\n")}\n};\n`,
    ...declarations,
    `/** Operations whose calls are kept and run later. */\nexport type AsyncOperation = ${later.join(" | ") || "never"};\n`,
    `const asyncOperations: ReadonlySet<string> = new Set<string>([${later.join(", ")}]);\n`,
    `export type ErrorCode =\n${codes.map((code) => `  | ${JSON.stringify(code)}`).join("\n") || "  never"};\n`,
    RUNTIME_TEXT,
  ].join("\n");
}

/** `#/components/schemas/echo.input/$defs/Node` → echo, input, Node. */
function wordsOf(reference: string): string[] {
  return decodeURIComponent(reference)
    .split("/")
    .slice(3)
    .filter((token) => token !== "$defs" && token !== "definitions");
}

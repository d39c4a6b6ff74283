/** What a generated file says of itself in its first lines, so that it can be checked against the registry later. */
import * as v from "valibot";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Selection, TypedOperations } from "./document.ts";

const MARK = "// @switchyard ";
const EACH = "// @switchyard-operation ";

const HeaderSchema = v.object({
  format: v.literal(1),
  digest: v.string(),
  groups: v.array(v.string()),
  operations: v.array(v.string()),
  all: v.boolean(),
});

export type Header = { selection: Selection; digest: string; operations: ReadonlyMap<string, string> };

export function headerText(
  { operations, digest }: Pick<TypedOperations, "operations" | "digest">,
  selection: Selection,
): string {
  return [
    "// Written by `opctl client typescript`: do not edit it, write it anew. `opctl client check` says when.",
    MARK + JSON.stringify({ format: 1, digest, ...selection }),
    ...operations.map(({ name, digest }) => `${EACH}${name} ${digest}`),
  ].join("\n");
}

export function parseHeader(text: string, file: string): Header {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const line = lines.find((each) => each.startsWith(MARK));
  const parsed = v.safeParse(HeaderSchema, parsedJson(line?.slice(MARK.length)));
  if (!parsed.success) {
    throw new SwitchyardError(
      "usage",
      `Cannot check "${file}": it must be a file that opctl wrote; it does not say so`,
      {
        hint: `opctl client typescript --output ${file}`,
      },
    );
  }
  const { digest, format: _, ...selection } = parsed.output;
  const operations = lines
    .filter((each) => each.startsWith(EACH))
    .map((each) => each.slice(EACH.length).split(" "))
    .map(([name = "", own = ""]) => [name, own] as const);
  return { selection, digest, operations: new Map(operations) };
}

function parsedJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** What a body or an answer may be written as, and which of it can be carried: JSON, and of answers text. */
import { isObject, membersOf, type Json } from "./_obstacle.ts";
import type { Documents } from "./documents.ts";

export type Media = {
  name: string;
  /** As a request or an answer has it. */
  kind: "json" | "text";
  schema: unknown;
  file: string;
  examples: ReadonlyMap<string, { summary: string | undefined; value: unknown }>;
};

const JSON_NAME = /^(?:application\/json|\*\/\*|application\/\*)(?:;|$)/i;
const JSON_LIKE = /^[^;]*\+json(?:;|$)/i;

/** The best of them. undefined: none can be carried. `side`: a request has no text. */
export function chooseMedia(
  content: unknown,
  { file, side, documents }: { file: string; side: "input" | "output"; documents: Documents },
): Media | undefined {
  const all = membersOf(content);
  const json = all.find(([name]) => JSON_NAME.test(name)) ?? all.find(([name]) => JSON_LIKE.test(name));
  const text = side === "output" ? all.find(([name]) => /^text\//i.test(name)) : undefined;
  const chosen = json ?? text;
  if (chosen === undefined || !isObject(chosen[1])) return undefined;
  const [name, media] = chosen;
  const kind = json === undefined ? "text" : "json";
  return { name, kind, schema: media["schema"], file, examples: examplesOf(media, file, documents) };
}

function examplesOf(media: Json, file: string, documents: Documents): Media["examples"] {
  const found = new Map<string, { summary: string | undefined; value: unknown }>();
  for (const [name, example] of membersOf(media["examples"])) {
    const { value } = documents.settle(example, file);
    if (!isObject(value) || !Object.hasOwn(value, "value")) continue;
    const { summary } = value;
    found.set(name, { summary: typeof summary === "string" ? summary : undefined, value: value["value"] });
  }
  if (media["example"] !== undefined) found.set("", { summary: undefined, value: media["example"] });
  const { schema } = media;
  const said = found.size === 0 ? documents.settle(schema, file).value : undefined;
  if (isObject(said) && said["example"] !== undefined) found.set("", { summary: undefined, value: said["example"] });
  return found;
}

export const namesOf = (content: unknown): string =>
  membersOf(content)
    .map(([name]) => name)
    .join(", ");

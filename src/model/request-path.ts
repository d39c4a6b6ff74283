/** The path of a request that an operation is: text as it is sent, and fields of the input in braces, `/albums/{album_id}`. */

export type PathPart = { literal: string } | { field: string };

/** The parts, or the rule that the text breaks. */
export function parseRequestPath(path: string): { parts: readonly PathPart[] } | { rule: string } {
  const parts: PathPart[] = [];
  for (const text of path.split(/(\{[^{}/]*\})/)) {
    if (text === "") continue;
    const field = /^\{(.*)\}$/s.exec(text)?.[1];
    if (field === "") return { rule: "must name a field in each pair of braces; one is empty" };
    if (field === undefined && /[{}]/.test(text))
      return { rule: `must have braces in pairs, within one segment; "${text}" has one that is not` };
    parts.push(field === undefined ? { literal: text } : { field });
  }
  // What a URL's reader would turn into another path than the one that was written.
  const odd = path.split("/").find((segment) => /^(?:\.|%2e){1,2}$/i.test(segment) || segment.includes("\\"));
  return odd === undefined ? { parts } : { rule: `must have no segment . or .. and no backslash; one is "${odd}"` };
}

const FIELD = /\{([^{}/]+)\}/g;

/** Of a path that can be parsed. */
export function fieldsOfRequestPath(path: string): string[] {
  return [...path.matchAll(FIELD)].map((match) => match[1] ?? "");
}

/** A path that can be parsed, with a text in the place of each field. */
export function fillRequestPath(path: string, textOf: (field: string) => string): string {
  return path.replaceAll(FIELD, (_, field: string) => textOf(field));
}

/**
 * Which artifacts an input names. Only complete ids that stand alone in a JSON string count; an id that is written with
 * escapes (`\u0061r_…`) or inside a longer string does not. At most MAX_REFERENCES are found.
 */

/** Artifacts named by one input beyond this are not protected by it. */
export const MAX_REFERENCES = 1_000;

const QUOTED_ID = /"(ar_[0-9a-f]{2}_[0-9a-hjkmnp-tv-z]{25})"/g;

export function referencedArtifacts(inputText: string): string[] {
  const first = inputText.indexOf('"ar_');
  if (first === -1) return [];
  const found = new Set<string>();
  QUOTED_ID.lastIndex = first;
  for (let match = QUOTED_ID.exec(inputText); match !== null; match = QUOTED_ID.exec(inputText)) {
    if (match[1] !== undefined) found.add(match[1]);
    if (found.size === MAX_REFERENCES) break;
  }
  return [...found];
}

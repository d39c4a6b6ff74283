/**
 * The Prefer header (RFC 7240): `respond-async`, and `wait=N` in seconds. A preference is a wish: one that is unknown or
 * malformed is passed over, never refused, and `Preference-Applied` names those that were followed.
 */
import { LIMITS } from "../core/limits.ts";

export type Preferences = {
  respondAsync: boolean;
  /** How long the caller would wait for the end, at most LIMITS.waitMaxMs. undefined: nothing was said. */
  waitMs: number | undefined;
};

/** One element of the list, up to its comma: commas inside quotes belong to it. A quote that stays open ends nothing. */
const ELEMENT = /(?:[^",]|"(?:[^"\\]|\\.)*"|")+/g;
/** token [ = ( token | quoted-string ) ], then parameters, which none of our preferences has. */
const PREFERENCE =
  /^([!#$%&'*+.^_`|~\w-]+)(?:[ \t]*=[ \t]*(?:([!#$%&'*+.^_`|~\w-]+)|"((?:[^"\\]|\\.)*)")?)?[ \t]*(?:;.*)?$/;

/** A header beyond this is passed over as a whole, so that hostile quoting costs nothing. */
const MAX_CHARS = 2_000;

/** `header` is the value of all Prefer headers, joined by commas as `Headers.get` does. */
export function parsePrefer(header: string | null): Preferences {
  const values = new Map<string, string>();
  const text = header === null || header.length > MAX_CHARS ? "" : header;
  for (const [element] of text.matchAll(ELEMENT)) {
    const match = PREFERENCE.exec(element.trim());
    const name = match?.[1]?.toLowerCase();
    // Of two with one name the first counts (RFC 7240, 2), be it good or bad.
    if (name === undefined || values.has(name)) continue;
    values.set(name, match?.[2] ?? match?.[3]?.replaceAll(/\\(.)/g, "$1") ?? "");
  }
  const wait = values.get("wait");
  return {
    respondAsync: values.get("respond-async") === "",
    waitMs: wait !== undefined && /^[0-9]+$/.test(wait) ? Math.min(Number(wait) * 1_000, LIMITS.waitMaxMs) : undefined,
  };
}

/** The Preference-Applied header for those that were followed, with the wait that really holds; none: no header. */
export function preferenceApplied({ respondAsync, waitMs }: Preferences): Record<string, string> {
  const applied = [
    ...(respondAsync ? ["respond-async"] : []),
    ...(waitMs === undefined ? [] : [`wait=${waitMs / 1_000}`]),
  ];
  return applied.length === 0 ? {} : { "preference-applied": applied.join(", ") };
}

/** Names of things in the registry. */
import * as v from "valibot";

/** An operation's, type's, module's, environment's, token's or secret's name. */
export const NAME_PATTERN = /^[a-z][a-z0-9_.-]{0,127}$/;

export const NameSchema = v.pipe(
  v.string(),
  v.regex(NAME_PATTERN, "must start with a-z and go on with at most 127 of a-z 0-9 _ . -"),
);

/** `name` or `name@revision`. */
export function parseNameAtRevision(text: string): { name: string; revision: number | undefined } | undefined {
  const match = /^([a-z][a-z0-9_.-]{0,127})(?:@([1-9][0-9]{0,8}))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { name: match[1], revision: match[2] === undefined ? undefined : Number(match[2]) };
}

/** What valibot says of an entry or a request that breaks a rule → issues in the words of every other refusal. */
import type * as v from "valibot";
import { didYouMean } from "../core/did-you-mean.ts";
import type { Issue } from "../core/errors.ts";

type Found = { issues: readonly [Issue, ...Issue[]]; /** For a field that there is not. */ hint?: string };

export function issuesOf(found: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]], schema: object): Found {
  const [first, ...rest] = found;
  const key = isUnknownField(first) && first.path?.length === 1 ? String(first.path[0].key) : undefined;
  const fields = "entries" in schema ? Object.keys(schema.entries as object) : [];
  return {
    issues: [issueOf(first), ...rest.map(issueOf)],
    ...(key === undefined || fields.length === 0 ? {} : { hint: nearest(key, fields) }),
  };
}

function nearest(key: string, fields: readonly string[]): string {
  const near = fields.find((field) => field.startsWith(`${key}_`)) ?? didYouMean(key, fields);
  return near === undefined ? `The fields are ${fields.join(", ")}.` : `Did you mean "${near}"?`;
}

function issueOf(found: v.BaseIssue<unknown>): Issue {
  const keys = (found.path ?? []).map(({ key }) => String(key).replaceAll("~", "~0").replaceAll("/", "~1"));
  const pointer = keys.map((key) => `/${key}`).join("");
  const meant = meantOf(found);
  if (meant !== undefined) return { ...meant, pointer: `${pointer}${meant.pointer}` };
  return { pointer, keyword: found.type, detail: detailOf(found) };
}

/** Of several forms the one was meant that fits down to a field of a field: what is wrong is there. */
function meantOf({ type, issues }: v.BaseIssue<unknown>): Issue | undefined {
  if (type !== "union") return undefined;
  const deep = issues?.find(({ path }) => path !== undefined && path.length > 1);
  return deep === undefined ? undefined : issueOf(deep);
}

function detailOf(found: v.BaseIssue<unknown>): string {
  if (isUnknownField(found)) return "there is no such field";
  if (found.message.startsWith("Invalid key: ")) return "must be there; it is missing";
  if (found.message.startsWith("Invalid type: ")) return `must be ${found.expected}; it is ${found.received}`;
  return found.message;
}

function isUnknownField(found: v.BaseIssue<unknown>): boolean {
  return found.message.startsWith("Invalid key: ") && found.expected === "never";
}

/**
 * An error as a row keeps it. What it says may hold names of fields of an input or an output, and those are as long as
 * whoever wrote them likes: no row could hold that, and what goes into the database with it would wait for ever.
 */
import type { ErrorData, Issue } from "./errors.ts";

/** Characters. A hundred of these, one of each attempt, still fit into one row. */
const BOUNDS = { detail: 4_096, hint: 1_024, issueText: 1_024, issues: 8_192 } as const;

export function boundedError(error: ErrorData): ErrorData {
  const { detail, hint, errors } = error;
  return {
    ...error,
    detail: detail.slice(0, BOUNDS.detail),
    ...(hint === undefined ? {} : { hint: hint.slice(0, BOUNDS.hint) }),
    ...(errors === undefined ? {} : { errors: boundedIssues(errors) }),
  };
}

/** The first of them. */
function boundedIssues(issues: readonly Issue[]): Issue[] {
  const kept: Issue[] = [];
  let left: number = BOUNDS.issues;
  for (const { pointer, keyword, detail } of issues) {
    const issue = { pointer: start(pointer), keyword: start(keyword), detail: start(detail) };
    left -= issue.pointer.length + issue.keyword.length + issue.detail.length;
    if (left < 0) break;
    kept.push(issue);
  }
  return kept;
}

function start(text: string): string {
  return text.slice(0, BOUNDS.issueText);
}

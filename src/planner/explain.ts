/** Plans for people: as sentences, as a mermaid diagram, and what the search tried. */
import type { Plan } from "./plan.ts";
import type { Tried } from "./search.ts";

/** A line a step, `1. a + 1` or `3. b + 1, after 1 and 2`; then what is not reached, and why. */
export function toSentences(plan: Plan): string[] {
  const lines = plan.steps.map(({ id, description, needs }) => {
    const after = needs.length === 0 ? "" : `, after ${listOf(needs.map((need) => String(need + 1)))}`;
    return `${id + 1}. ${description}${after}`;
  });
  if (plan.reached) return lines.length === 0 ? ["Nothing is to be done."] : lines;
  const missing = plan.unmet.map(
    ({ path, wanted, is }) => `Not reached: ${path || "/"} should ${wishOf(wanted)}; it ${stateOf(is)}.`,
  );
  const why =
    plan.bound === null
      ? `Every way was tried (${plan.tries} tries).`
      : `The search ended at its limit of ${plan.bound.limit} ${plan.bound.name}.`;
  return [...lines, ...missing, why];
}

function listOf(words: readonly string[]): string {
  return words.length <= 1 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function wishOf(wanted: unknown): string {
  return wanted === undefined ? "be gone" : `be ${JSON.stringify(wanted)}`;
}

function stateOf(is: unknown): string {
  return is === undefined ? "is not there" : `is ${JSON.stringify(is)}`;
}

/** https://mermaid.js.org/syntax/flowchart.html */
export function toMermaid(plan: Plan): string {
  const lines = ["graph LR"];
  for (const { id, description } of plan.steps) lines.push(`  s${id}["${escape(description)}"]`);
  for (const { id, needs } of plan.steps) for (const need of needs) lines.push(`  s${need} --> s${id}`);
  for (const [at, { path }] of plan.unmet.entries()) lines.push(`  u${at}(["not reached: ${escape(path || "/")}"])`);
  return lines.join("\n");
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;")
    .replaceAll(/[\r\n]+/g, " ");
}

/** Nobody reads more, and a tree may be as deep as a plan may have steps. */
const MOST_LINES = 10_000;
const DEEPEST = 40;

/** The decision tree, for a plan made with `trace`: at each state the jobs that were tried there, and what came of them. */
export function toDecisions(plan: Plan): string[] {
  const children = Map.groupBy(plan.trace, ({ search, parent }) => `${search} ${parent}`);
  const lines: string[] = [];
  for (const search of new Set(plan.trace.map((tried) => tried.search))) {
    lines.push(`search ${search + 1}`);
    const below = (node: number, depth: number) =>
      (children.get(`${search} ${node}`) ?? []).map((tried) => ({ tried, depth })).toReversed();
    const open = below(0, 1);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { tried, depth } = next;
      lines.push(`${"  ".repeat(Math.min(depth, DEEPEST))}${decisionOf(tried)}`);
      if (tried.node >= 0) for (const each of below(tried.node, depth + 1)) open.push(each);
    }
  }
  return lines.length <= MOST_LINES
    ? lines
    : [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} lines more`];
}

/** Characters of a condition. */
const LONGEST_CONDITION = 120;

function decisionOf({ goal, job, path, verdict, condition }: Tried): string {
  const text = condition?.replaceAll(/\s+/g, " ").trim() ?? "";
  const short = text.length > LONGEST_CONDITION ? `${text.slice(0, LONGEST_CONDITION)}…` : text;
  return `for ${goal || "/"}: ${job} at ${path || "/"}: ${VERDICTS[verdict] ?? verdict}${short === "" ? "" : `: ${short}`}`;
}

const VERDICTS: Readonly<Record<string, string>> = {
  kind: "not for what is there",
  when: "its condition does not hold",
  no_effect: "it changes nothing",
  recursion: "it comes back to itself",
  too_deep: "it expands without an end",
  tries: "the limit of tries came before its parts had an end",
  seen: "leads to a state that was looked at",
};

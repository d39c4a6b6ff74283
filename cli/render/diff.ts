/** The difference of two texts by lines, in the unified format that `diff -u`, `git apply` and editors know. */

type Edit = { sign: " " | "-" | "+"; line: string };

const CONTEXT = 3;

/** "" when they are equal. */
export function renderDiff(before: string, after: string, names: { before: string; after: string }): string {
  const edits = editsOf(linesOf(before), linesOf(after));
  const hunks = hunksOf(edits);
  if (hunks.length === 0) return "";
  return [`--- ${names.before}`, `+++ ${names.after}`, ...hunks].join("\n");
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** By the longest common subsequence; equal ends are taken off first, so that a large entry with a small change is quick. */
function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < Math.min(before.length, after.length) - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return [
    ...before.slice(0, head).map(keep),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(keep),
  ];
}

function keep(line: string): Edit {
  return { sign: " ", line };
}

function middle(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1;
  const longest = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const at = i * width + j;
      // Every index is inside: the table has one row and one column more than there are lines.
      longest[at] =
        before[i] === after[j]
          ? (longest[at + width + 1] ?? 0) + 1
          : Math.max(longest[at + width] ?? 0, longest[at + 1] ?? 0);
    }
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, next] = [before[i], after[j]];
    if (old !== undefined && old === next) {
      edits.push({ sign: " ", line: old });
      i++;
      j++;
    } else if (
      old !== undefined &&
      (next === undefined || (longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0))
    ) {
      edits.push({ sign: "-", line: old });
      i++;
    } else {
      edits.push({ sign: "+", line: next ?? "" });
      j++;
    }
  }
  return edits;
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  let at = 0;
  while (at < edits.length) {
    const first = edits.findIndex((edit, index) => index >= at && edit.sign !== " ");
    if (first === -1) break;
    let last = first;
    for (let index = first; index < edits.length && index - last <= CONTEXT * 2; index++) {
      if (edits[index]?.sign !== " ") last = index;
    }
    const [start, end] = [Math.max(at, first - CONTEXT), Math.min(edits.length, last + CONTEXT + 1)];
    hunks.push(header(edits, start, end), ...edits.slice(start, end).map(({ sign, line }) => sign + line));
    at = end;
  }
  return hunks;
}

function header(edits: readonly Edit[], start: number, end: number): string {
  const range = (other: "-" | "+"): string => {
    const count = (from: number, to: number): number =>
      edits.slice(from, to).filter(({ sign }) => sign !== other).length;
    const length = count(start, end);
    return `${count(0, start) + (length === 0 ? 0 : 1)},${length}`;
  };
  return `@@ -${range("+")} +${range("-")} @@`;
}

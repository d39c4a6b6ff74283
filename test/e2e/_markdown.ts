/**
 * The commands and files that a documentation page shows, in order. Every fenced block says what becomes of it:
 *
 *     sh, sh tour              its commands are run
 *     sh meanwhile             in another terminal: its commands go on while those after them run, and are ended with the page
 *     LANG file=NAME           it is written to that file, for the commands that follow
 *     LANG not-run: REASON     it is left alone, for a reason that stands there
 *     text                     it is no command and no file: an output, a picture
 *
 * Behind a command, or in a comment below it, `# → TEXT` is a line of what it prints and `# ✗ TEXT` a part of the refusal
 * that it must end with. `…` in TEXT stands for anything.
 */

/** Lines count from 1. `refused`: it must fail, and say so. `meanwhile`: nobody waits for its end, but until it has printed what it must. */
export type Command = {
  kind: "command";
  line: number;
  text: string;
  expected: string[];
  refused: string | undefined;
  meanwhile: boolean;
};
export type File = { kind: "file"; line: number; name: string; text: string };
export type Step = Command | File;

/** Throws for a block that does not say what becomes of it. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)(?:```|~~~)(.*)$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const info = (fence[2] ?? "").trim();
    const first = at + 1;
    while (++at < lines.length && !/^\s*(?:```|~~~)\s*$/.test(lines[at] ?? ""));
    if (fence[1] !== "") throw new Error(`line ${first}: a block must begin at the line's start`);
    const body = lines.slice(first, at);
    const file = /^\w+ file=([\w./-]+)$/.exec(info)?.[1];
    const meanwhile = info === "sh meanwhile";
    if (meanwhile || info === "sh" || info === "sh tour") {
      steps.push(...commandsOf(body, { firstLine: first + 1, meanwhile }));
    } else if (file !== undefined)
      steps.push({ kind: "file", line: first + 1, name: file, text: `${body.join("\n")}\n` });
    else if (info !== "text" && !/^\w+ not-run: \S/.test(info)) {
      throw new Error(
        `line ${first}: a block must be "sh", "sh tour", "sh meanwhile", "LANG file=NAME", "LANG not-run: REASON" or "text"; it is "${info}"`,
      );
    }
  }
  return steps;
}

function commandsOf(
  lines: readonly string[],
  { firstLine, meanwhile }: { firstLine: number; meanwhile: boolean },
): Command[] {
  const commands: Command[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = firstLine + at;
    let text = lines[at] ?? "";
    if (text.trim() === "") continue;
    if (text.trimStart().startsWith("#")) {
      const last = commands.at(-1);
      const mark = markOf(text);
      if (mark !== undefined && last === undefined) throw new Error(`line ${line}: nothing was run before "${text}"`);
      if (last !== undefined) note(last, mark);
      continue;
    }
    while (isOpen(text) && at + 1 < lines.length) text += `\n${lines[++at]}`;
    const command: Command = { kind: "command", line, text, expected: [], refused: undefined, meanwhile };
    note(command, markOf(text));
    commands.push(command);
  }
  return commands;
}

type Mark = { sign: string; text: string } | undefined;

function markOf(text: string): Mark {
  const found = /(?:^|\s)# (→|✗) (.*)$/.exec(text.split("\n").at(-1) ?? "");
  return found === null ? undefined : { sign: found[1] ?? "", text: (found[2] ?? "").trim() };
}

function note(command: Command, mark: Mark): void {
  if (mark === undefined) return;
  if (mark.sign === "→") command.expected.push(mark.text);
  else command.refused = mark.text;
}

/** Whether the command goes on in the next line: a backslash, a quote that is open, a here-document. */
function isOpen(text: string): boolean {
  if (text.endsWith("\\")) return true;
  const here = /<<-?\s*['"]?(\w+)['"]?/.exec(text)?.[1];
  if (here !== undefined) return !new RegExp(`\\n${here}$`).test(text);
  return (text.match(/'/g) ?? []).length % 2 === 1;
}

/** Whether the output has the expected lines, in their order. Runs of spaces count as one. */
export function hasLines(output: string, expected: readonly string[]): boolean {
  let rest = output.split("\n").map(squeeze);
  return expected.every((line) => {
    const pattern = new RegExp(`^${squeeze(line).split("…").map(escape).join(".*")}$`);
    const found = rest.findIndex((candidate) => pattern.test(candidate));
    rest = rest.slice(found + 1);
    return found >= 0;
  });
}

function squeeze(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

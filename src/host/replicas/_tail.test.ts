/** What is kept of a replica's output. */
import { expect, test } from "vitest";
import { Tail } from "./_tail.ts";

const redact = (text: string): string => text.replaceAll("sesame-open", "[secret]");

function kept(...pieces: string[]): { lines: readonly string[]; logged: string[] } {
  const logged: string[] = [];
  const tail = new Tail({ redact, log: (line) => void logged.push(line) });
  const stream = tail.stream();
  for (const piece of pieces) stream(new TextEncoder().encode(piece));
  stream(undefined);
  return { lines: tail.lines, logged };
}

test.each<[string, string[], string[]]>([
  ["lines, in whatever pieces", ["on", "e\ntwo\r\n", "three"], ["one", "two", "three"]],
  ["colours", ["\u001B[0m\u001B[1m\u001B[31merror\u001B[0m: no\n"], ["error: no"]],
  ["a window's title and a bell", ["\u001B]0;owned\u0007ready\n"], ["ready"]],
  ["a screen that is cleared, alone", ["\u001B[2J\u001B[H\nready\n"], ["ready"]],
  ["a line that is written over, C1 controls, DEL", ["10%\r20%\u009B1mA\u007FB\n"], ["10%20%1mAB"]],
  ["tabs and brackets", ["\ta [b] ]c\n"], ["\ta [b] ]c"]],
  ["a secret between colours", ["sesame\u001B[1m-open\n"], ["[secret]"]],
])("Tail keeps of %s what can be read", (_what, pieces, lines) => {
  expect(kept(...pieces)).toEqual({ lines, logged: lines });
});

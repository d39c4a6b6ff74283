/**
 * Where and why a text is not JSON. Only for text that `JSON.parse` has refused: engines word and place that error
 * differently, and some leave the place out. Iterative, so depth costs no stack.
 */

export type JsonErrorPlace = { line: number; column: number; expected: string; found: string };

// oxlint-disable-next-line no-control-regex -- JSON strings may not hold raw control characters
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/;
const LITERAL = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9a-zA-Z.+-])/;
const TOKEN = new RegExp(`[ \\n\\r\\t]*(?:([{}[\\],:])|(${STRING.source})|(${LITERAL.source}))`, "y");

type State = "value" | "first-item" | "first-key" | "key" | "colon" | "after" | "end";

const EXPECTED: Record<State, string> = {
  value: "a value",
  "first-item": 'a value or "]"',
  "first-key": 'a key in double quotes or "}"',
  key: "a key in double quotes",
  colon: '":"',
  after: '"," or the closing bracket',
  end: "nothing more",
};

export function findJsonError(text: string): JsonErrorPlace {
  const open: ("{" | "[")[] = [];
  let state: State = "value";
  let at = 0;
  for (;;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    const next: State | undefined = match === null ? undefined : step(state, match, open);
    if (next === undefined) return place(text, at, EXPECTED[state]);
    state = next;
    at = TOKEN.lastIndex;
  }
}

/** The state after a token, or undefined where the token cannot stand there. */
function step(state: State, match: RegExpExecArray, open: ("{" | "[")[]): State | undefined {
  const [, mark, string, literal] = match;
  const after = (): State => (open.length === 0 ? "end" : "after");
  if (state === "colon") return mark === ":" ? "value" : undefined;
  if (state === "end") return undefined;
  if (state === "after") {
    if (mark === ",") return open.at(-1) === "{" ? "key" : "value";
    if (mark !== (open.at(-1) === "{" ? "}" : "]")) return undefined;
    open.pop();
    return after();
  }
  if (state === "key" || state === "first-key") {
    if (string !== undefined) return "colon";
    if (state === "key" || mark !== "}") return undefined;
    open.pop();
    return after();
  }
  if (string !== undefined || literal !== undefined) return after();
  if (mark === "{" || mark === "[") {
    open.push(mark);
    return mark === "{" ? "first-key" : "first-item";
  }
  if (state === "first-item" && mark === "]") {
    open.pop();
    return after();
  }
  return undefined;
}

function place(text: string, from: number, expected: string): JsonErrorPlace {
  let at = from;
  while (at < text.length && " \n\r\t".includes(text[at] as string)) at++;
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - (before.lastIndexOf("\n") + 1) + 1;
  return {
    line,
    column,
    expected,
    found: at >= text.length ? "the end of the text" : JSON.stringify(excerpt(text, at)),
  };
}

function excerpt(text: string, at: number): string {
  const end = text.slice(at, at + 20).search(/[\s,{}[\]:]/);
  return text.slice(at, at + (end <= 0 ? (end === 0 ? 1 : 20) : end));
}

/**
 * The little language of `opctl chain`: `echo(input_str="hi") | shout(times=2)`. Pure: text → steps, or a usage error
 * with a caret below the place. A value is JSON, a word, or a string in single quotes; a word that is JSON (`2`,
 * `true`) is that value and any other is its own text.
 *
 *     chain = step *( "|" step )
 *     step  = name [ "(" [ key "=" value *( "," key "=" value ) ] ")" ]
 */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { JsonObject } from "../registry.ts";

export type Step = { operation: string; args: JsonObject };

export function parseChain(text: string): Step[] {
  const reader = new Reader(text);
  const steps: Step[] = [parseStep(reader)];
  while (!reader.ended()) {
    reader.expect("|", "after a step comes `|` or the end");
    steps.push(parseStep(reader));
  }
  return steps;
}

function parseStep(reader: Reader): Step {
  const operation = reader.match(
    /[a-z][a-z0-9_.-]*(?:@[1-9][0-9]*)?/y,
    "a step begins with the name of an operation, in lower case",
  );
  const args: JsonObject = {};
  if (!reader.take("(")) return { operation, args };
  if (reader.take(")")) return { operation, args };
  do {
    const at = reader.here();
    const key = reader.match(/[A-Za-z_$][\w$.-]*/y, "an argument is key=value");
    if (Object.hasOwn(args, key)) reader.fail(`each argument may be given once; "${key}" is given again`, at);
    reader.expect("=", "after an argument's name comes `=`");
    Object.defineProperty(args, key, { value: parseValue(reader), enumerable: true });
  } while (reader.take(","));
  reader.expect(")", "after an argument comes `,` or `)`");
  return { operation, args };
}

function parseValue(reader: Reader): unknown {
  const at = reader.here();
  const first = reader.peek();
  if (first === "'")
    return reader
      .match(/'(?:[^'\\]|\\.)*'/y, "a string in single quotes must end")
      .slice(1, -1)
      .replaceAll(/\\(.)/g, "$1");
  if (first === '"')
    return reader.json(reader.match(/"(?:[^"\\]|\\.)*"/y, "a string must end with a double quote"), at);
  if (first === "{" || first === "[") return reader.json(reader.balanced(), at);
  const word = reader.match(/[^\s,()|"'=]+/y, "a value is JSON, a word, or a string in quotes");
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  here(): number {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
    return this.#at;
  }

  ended(): boolean {
    return this.here() >= this.#text.length;
  }

  peek(): string | undefined {
    return this.#text[this.here()];
  }

  take(sign: string): boolean {
    if (this.peek() !== sign) return false;
    this.#at++;
    return true;
  }

  expect(sign: string, rule: string): void {
    if (!this.take(sign)) this.fail(rule);
  }

  match(pattern: RegExp, rule: string): string {
    pattern.lastIndex = this.here();
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return this.fail(rule);
    this.#at += found.length;
    return found;
  }

  /** A JSON object or array up to the bracket that closes it; brackets inside strings do not count. */
  balanced(): string {
    const start = this.here();
    let depth = 0;
    let inString = false;
    for (let at = start; at < this.#text.length; at++) {
      const sign = this.#text[at] ?? "";
      if (inString && sign === "\\") at++;
      else if (sign === '"') inString = !inString;
      else if (!inString && (sign === "{" || sign === "[")) depth++;
      else if (!inString && (sign === "}" || sign === "]") && --depth === 0) {
        this.#at = at + 1;
        return this.#text.slice(start, this.#at);
      }
    }
    return this.fail("a bracket that opens must close", start);
  }

  json(text: string, at: number): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      return this.fail(`the value must be JSON; ${error instanceof Error ? error.message : String(error)}`, at);
    }
  }

  fail(rule: string, at: number = this.here()): never {
    const found = at >= this.#text.length ? "the end" : `"${this.#text[at]}"`;
    const shown = this.#text.replaceAll(/\s/g, " ");
    throw new SwitchyardError("usage", `Cannot read the chain: ${rule}; it is ${found} at character ${at + 1}`, {
      hint: `${shown}\n${" ".repeat(at)}^\nExample: opctl chain 'echo(input_str="hi") | shout'`,
    });
  }
}

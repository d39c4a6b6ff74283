/**
 * Regular expressions that others wrote, in stored types and in expressions: ECMA-262 syntax, run by re2js in time linear
 * in the text. What re2 spells otherwise is translated; what cannot be said exactly (look-around, back-references) is
 * refused.
 *
 * The engine is large and most types and expressions have no pattern, so it is loaded by the first that has one.
 */
import type { RE2JS } from "re2js";

export type Pattern = { test(text: string): boolean };

const MAX_PATTERN_CHARS = 8_192;
/** ECMA's white space and line ends, and all that is not one of them, as the inside of a class. */
const SPACE = "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
const NOT_SPACE =
  "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";

const CATEGORIES: Readonly<Record<string, string>> = {
  Letter: "L",
  Cased_Letter: "LC",
  Uppercase_Letter: "Lu",
  Lowercase_Letter: "Ll",
  Titlecase_Letter: "Lt",
  Modifier_Letter: "Lm",
  Other_Letter: "Lo",
  Mark: "M",
  Nonspacing_Mark: "Mn",
  Spacing_Mark: "Mc",
  Enclosing_Mark: "Me",
  Number: "N",
  Decimal_Number: "Nd",
  digit: "Nd",
  Letter_Number: "Nl",
  Other_Number: "No",
  Punctuation: "P",
  punct: "P",
  Symbol: "S",
  Math_Symbol: "Sm",
  Currency_Symbol: "Sc",
  Separator: "Z",
  Space_Separator: "Zs",
  Control: "Cc",
};

let engine: typeof RE2JS | undefined;

/** To be awaited once before compilePattern(). */
export async function loadPatternEngine(): Promise<void> {
  engine ??= (await import("re2js")).RE2JS;
}

const compiled = new Map<string, Pattern>();
const MAX_CACHED = 1_000;

/** Throws an Error whose message is the reason. Unanchored, as JSON Schema says. */
export function compilePattern(source: string): Pattern {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const program = compileProgram(source);
  const pattern = { test: (text: string) => program.matcher(text).find() };
  if (compiled.size >= MAX_CACHED) compiled.clear();
  compiled.set(source, pattern);
  return pattern;
}

/** The engine's own program, for whom a yes or no is not enough. Throws as compilePattern() does; nothing is cached. */
export function compileProgram(source: string, flags: { ignoreCase?: boolean; multiline?: boolean } = {}): RE2JS {
  if (source.length > MAX_PATTERN_CHARS) throw new Error(`it has more than ${MAX_PATTERN_CHARS} characters`);
  if (engine === undefined) throw new TypeError("A pattern was compiled before loadPatternEngine()");
  const ignoreCase = flags.ignoreCase === true ? engine.CASE_INSENSITIVE : 0;
  return engine.compile(translate(source), ignoreCase | (flags.multiline === true ? engine.MULTILINE : 0));
}

function translate(source: string): string {
  let out = "";
  let inClass = false;
  for (let at = 0; at < source.length;) {
    const char = source[at] as string;
    if (char === "\\") {
      const [text, length] = translateEscape(source, at, inClass);
      out += text;
      at += length;
      continue;
    }
    if (inClass) {
      if (char === "]") inClass = false;
      out += char === "[" ? "\\[" : char;
    } else if (char === "[") {
      inClass = true;
      const empty = /^\[(\^?)\]/.exec(source.slice(at, at + 3));
      if (empty !== null) {
        // ECMA: [] matches nothing and [^] anything.
        out += empty[1] === "" ? "[^\\x{0}-\\x{10ffff}]" : "[\\x{0}-\\x{10ffff}]";
        inClass = false;
        at += empty[0].length;
        continue;
      }
      out += char;
      if (source[at + 1] === "^") {
        out += "^";
        at++;
      }
    } else if (char === "(" && source[at + 1] === "?") {
      const group = /^\(\?(?::|<[A-Za-z_][A-Za-z0-9_]*>)/.exec(source.slice(at, at + 130));
      if (group === null)
        throw new Error(`"${source.slice(at, at + 4)}" (look-around or inline flags) is not supported`);
      out += group[0].replace("(?<", "(?P<");
      at += group[0].length;
      continue;
    } else if (char === ".") {
      out += "[^\\n\\r\\x{2028}\\x{2029}]";
    } else if (char === "+" && /[*+?}]/.test(source[at - 1] ?? "") && source[at - 2] !== "\\") {
      throw new Error("possessive or stacked repetition is not of ECMA-262");
    } else {
      out += char;
    }
    at++;
  }
  return out;
}

/** The translation of the escape at `at`, and how many characters of the source it took. */
function translateEscape(source: string, at: number, inClass: boolean): [text: string, length: number] {
  const rest = source.slice(at, at + 80);
  const unicode =
    /^\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(rest) ??
    /^\\u(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))/.exec(rest);
  if (unicode !== null) {
    const [whole, first, second] = unicode;
    const pair = whole.length === 12;
    const code = pair
      ? String.fromCharCode(Number.parseInt(first ?? "", 16), Number.parseInt(second ?? "", 16)).codePointAt(0)
      : Number.parseInt(first ?? second ?? "", 16);
    return [`\\x{${(code ?? 0).toString(16)}}`, whole.length];
  }
  const hex = /^\\x([0-9a-fA-F]{2})/.exec(rest);
  if (hex !== null) return [`\\x{${hex[1]}}`, 4];
  const control = /^\\c([A-Za-z])/.exec(rest);
  if (control?.[1] !== undefined) return [`\\x{${(control[1].charCodeAt(0) % 32).toString(16)}}`, 3];
  const property = /^\\([pP])\{(?:(?:General_Category|gc|Script|sc)=)?([A-Za-z_]+)\}/.exec(rest);
  if (property?.[2] !== undefined)
    return [`\\${property[1]}{${CATEGORIES[property[2]] ?? property[2]}}`, property[0].length];
  const next = rest[1];
  if (next === "s") return [inClass ? SPACE : `[${SPACE}]`, 2];
  if (next === "S") return [inClass ? NOT_SPACE : `[${NOT_SPACE}]`, 2];
  if (next === "b" && inClass) return ["\\x{8}", 2];
  if (next === "0" && !/[0-9]/.test(rest[2] ?? "")) return ["\\x{0}", 2];
  if (next !== undefined && ("dDwWtnrfv".includes(next) || (!inClass && "bB".includes(next)))) return [`\\${next}`, 2];
  if (next !== undefined && /[!-/:-@[-`{-~]/.test(next)) return [`\\${next}`, 2];
  throw new Error(`"${rest.slice(0, 2)}" (a back-reference or unknown escape) is not supported`);
}

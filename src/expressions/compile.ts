/**
 * From the text of an expression to something that can be evaluated again and again, at the same time if need be. A
 * webhook's mapping is compiled when it is first needed; who holds it is the cache.
 */
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { guardedDefinitions, guardFunctions } from "./functions.ts";
import { METER, watch } from "./hooks.ts";
import { createMeter, quote } from "./meter.ts";
import { parseExpression } from "./syntax.ts";
import { copyIn, copyOut } from "./values.ts";

export type Expression = {
  readonly source: string;
  /** Plain JSON, sharing nothing with `input` or `bindings`. Throws expression_failed or expression_limit. */
  evaluate(input: unknown, bindings?: Readonly<Record<string, unknown>>): Promise<unknown>;
};

/** In place of native regular expressions, should JSONata ever not take the engine that hooks.ts gives it. */
function NoRegex(): never {
  throw new TypeError("no regular expression may run here");
}

const OPTIONS = { RegexEngine: NoRegex as unknown as RegExpConstructor, sequence: LIMITS.expressionItems };

/** The library is large and most platforms have no mapping, so it is loaded by the first. */
async function loadLibrary() {
  const { default: jsonata } = await import("jsonata");
  return { jsonata, definitions: await guardedDefinitions(jsonata) };
}

let library: Awaited<ReturnType<typeof loadLibrary>> | undefined;

/** Throws expression_invalid with the position and what was expected there. */
export async function compileExpression(source: string): Promise<Expression> {
  library ??= await loadLibrary();
  const program = await parseExpression(library.jsonata, source, OPTIONS);
  guardFunctions(program, library.definitions);
  watch(program);
  return {
    source,
    async evaluate(input, bindings = {}) {
      const own = copyIn(source, input === undefined ? null : input);
      const given = copyIn(source, bindings) as Record<string, unknown>;
      const meter = createMeter(source);
      try {
        return copyOut(source, await program.evaluate(own, { ...given, [METER]: meter }));
      } catch (cause) {
        throw explain(source, cause);
      } finally {
        meter.ended ??= new TypeError("the evaluation has ended");
      }
    },
  };
}

/** What JSONata threw, in our words and with its own code and position. */
function explain(source: string, cause: unknown): SwitchyardError {
  if (cause instanceof SwitchyardError) return cause;
  const { message, code, position } = cause as { message?: string; code?: string; position?: number };
  const what = `Cannot evaluate the expression ${quote(source)}`;
  if (code === "D2014" || code === "D2015") {
    return new SwitchyardError(
      "expression_limit",
      `${what}: a sequence may have at most ${LIMITS.expressionItems} items; it is longer`,
      { cause },
    );
  }
  if (cause instanceof RangeError && /call stack|string length|array length/i.test(cause.message)) {
    return new SwitchyardError(
      "expression_limit",
      `${what}: the runtime's own limit was reached; it is ${cause.message}`,
      {
        cause,
      },
    );
  }
  const at = position === undefined ? "" : ` at position ${position}`;
  const said = (message ?? "it stopped without a word").slice(0, 500);
  return new SwitchyardError("expression_failed", `${what}${at}: ${said}${code === undefined ? "" : ` (${code})`}`, {
    cause,
  });
}

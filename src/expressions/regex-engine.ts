/**
 * The regular expressions of JSONata, run by re2js: time linear in the text, whatever the pattern. Each search is paid
 * for by the evaluation that makes it.
 */
import type { RE2JS } from "re2js";
import { compileProgram } from "../core/regex.ts";
import { chargeBytes, chargeSteps, type Meter } from "./meter.ts";

const programs = new WeakMap<RegExp, RE2JS>();

/** The program for a literal of the syntax tree; made once. Throws an Error whose message is the reason. */
export function compileRegex(regex: RegExp): RE2JS {
  const known = programs.get(regex);
  if (known !== undefined) return known;
  const program = compileProgram(regex.source, { ignoreCase: regex.ignoreCase, multiline: regex.multiline });
  programs.set(regex, program);
  return program;
}

/** What JSONata uses of a RegExp. */
type Engine = { lastIndex: number; exec(text: string): (RegExpExecArray | string[]) | null };

/** For JSONata, which calls it with `new` for every literal that it meets. */
export function regexEngineFor(meter: Meter): new (regex: RegExp) => Engine {
  return function MeteredRegex(regex: RegExp): Engine {
    const program = compileRegex(regex);
    // In the worst case every instruction is alive at every character, with a copy of all groups.
    const perChar = 1 / 32 + (program.programSize() * (1 + program.groupCount())) / 1_024;
    const engine: Engine = {
      lastIndex: 0,
      exec(text) {
        const from = engine.lastIndex;
        chargeSteps(meter, 1 + Math.ceil(perChar));
        const matcher = program.matcher(text);
        if (from > text.length || !matcher.find(from)) {
          chargeSteps(meter, Math.ceil((text.length - from) * perChar));
          engine.lastIndex = 0;
          return null;
        }
        const [start, end] = [matcher.start(), matcher.end()];
        chargeSteps(meter, Math.ceil((end - from) * perChar));
        engine.lastIndex = end;
        chargeBytes(meter, 16 * matcher.groupCount());
        const groups = Array.from(
          { length: matcher.groupCount() + 1 },
          (_, group) => matcher.group(group) ?? undefined,
        );
        return Object.assign(groups, { index: start, input: text }) as unknown as string[];
      },
    };
    return engine;
  } as unknown as new (regex: RegExp) => Engine;
}

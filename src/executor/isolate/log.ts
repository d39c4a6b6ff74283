/**
 * Source of the isolate's module `switchyard-log.js`: the log of one invocation, and text of anything at all. Nothing
 * here throws, whatever getters and proxies the code logs; the values of secrets never appear.
 */
import { LIMITS } from "../../core/limits.ts";

export const LOG_MODULE = String.raw`
const MAX_LINES = ${LIMITS.logLines};
const MAX_CHARS = ${LIMITS.logLineChars};
const { stringify } = JSON;
const { now } = Date;
const { entries, freeze } = Object;
const apply = Reflect.apply;
const { slice, replaceAll } = String.prototype;
const text = String;

/** Error text, never throwing. */
export function describeError(thrown) {
  try {
    if (thrown !== null && typeof thrown === "object") {
      const name = typeof thrown.name === "string" ? thrown.name : "";
      const message = typeof thrown.message === "string" ? thrown.message : undefined;
      if (message !== undefined) return name === "" || name === "Error" ? message || "an error without a message" : name + ": " + message;
    }
    return show(thrown);
  } catch {
    return "a value that cannot be shown";
  }
}

export function show(value) {
  try {
    if (typeof value === "string") return value;
    if (typeof value === "bigint") return text(value) + "n";
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return text(value);
    if (typeof value.stack === "string") return value.stack;
    if (typeof value === "function") return "[function " + text(value.name) + "]";
    const json = stringify(value, (_key, member) => (typeof member === "bigint" ? text(member) + "n" : member));
    return json === undefined ? text(value) : json;
  } catch {
    try {
      return text(value);
    } catch {
      return "[a value that cannot be shown]";
    }
  }
}

export function cap(line) {
  return line.length <= MAX_CHARS ? line : apply(slice, line, [0, MAX_CHARS]) + "… (" + (line.length - MAX_CHARS) + " more characters)";
}

/**
 * Replaces the values of secrets, as they are and as JSON writes them (a key of several lines in a logged object).
 * Values under 4 characters stay: they would blot out ordinary text.
 */
export function redactor(secrets) {
  const known = entries(secrets)
    .filter(([, value]) => value.length >= 4)
    .flatMap(([name, value]) => [[name, value], [name, apply(slice, stringify(value), [1, -1])]])
    .sort((a, b) => b[1].length - a[1].length);
  return (line) => {
    for (let i = 0; i < known.length; i++) line = apply(replaceAll, line, [known[i][1], () => "[secret " + known[i][0] + "]"]);
    return line;
  };
}

export class Log {
  lines = [];
  #redact;
  #api;

  constructor(redact) {
    this.#redact = redact;
  }

  write(level, args) {
    const { lines } = this;
    if (lines.length > MAX_LINES) return;
    const at_ms = now();
    if (lines.length === MAX_LINES) {
      lines[MAX_LINES] = { level: "warn", message: "further lines were dropped: " + MAX_LINES + " are kept of one invocation", at_ms };
      return;
    }
    let message = "";
    for (let i = 0; i < args.length; i++) message += (i === 0 ? "" : " ") + show(args[i]);
    lines[lines.length] = { level, message: cap(this.#redact(message)), at_ms };
  }

  get api() {
    return (this.#api ??= freeze({
      debug: (...args) => this.write("debug", args),
      info: (...args) => this.write("info", args),
      warn: (...args) => this.write("warn", args),
      error: (...args) => this.write("error", args),
    }));
  }
}
freeze(Log.prototype);
`;

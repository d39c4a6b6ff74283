/**
 * The one place that prints. Data goes to stdout and nothing else does, so that it can be piped; talk goes to stderr,
 * and `--quiet` leaves only errors of it. Colour only on a terminal and never with NO_COLOR. Names, descriptions and
 * messages come from others: no control character of theirs ever reaches a terminal.
 */
import { ERRORS, toErrorData, type SwitchyardError } from "../src/core/errors.ts";

export type Streams = {
  out: (text: string) => void;
  bytes: (part: Uint8Array | string) => Promise<void>;
  err: (text: string) => void;
  colour: boolean;
  /** Somebody watches stderr. */ watched: boolean;
  /** stdout is a terminal: what goes there is read by a person, and by the terminal. */ terminal: boolean;
};

export type Output = {
  readonly json: boolean;
  /** A person watches how far it is: stderr is a terminal, and neither --quiet nor --json says otherwise. */
  readonly watched: boolean;
  /** stdout is a terminal. */
  readonly terminal: boolean;
  /** Text as it is; a missing line end is added. */
  data(text: string): void;
  /** Bytes as they are, a part of many; done when the reader has taken them. A terminal is shown text without harm. */
  bytes(part: Uint8Array): Promise<void>;
  /** A value: one line of JSON. */
  value(value: unknown): void;
  /** What was done. */
  say(text: string): void;
  /** How far it is: only for a person who watches. */
  progress(text: string): void;
  warn(text: string): void;
  problem(error: SwitchyardError): void;
};

const processStreams = (): Streams => ({
  out: (text) => void process.stdout.write(text),
  // A reader that is gone ends the process elsewhere (main.ts), so a failed write is not told here.
  bytes: (part) => new Promise((resolve) => process.stdout.write(part, () => resolve())),
  err: (text) => void process.stderr.write(text),
  watched: process.stderr.isTTY,
  terminal: process.stdout.isTTY,
  colour: process.stderr.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
});

export function createOutput(options: { json: boolean; quiet: boolean }, streams: Streams = processStreams()): Output {
  const paint = (code: number, text: string): string => (streams.colour ? `\u001B[${code}m${text}\u001B[0m` : text);
  const watched = streams.watched && !options.quiet && !options.json;
  const decoder = new TextDecoder();
  return {
    json: options.json,
    watched,
    terminal: streams.terminal,
    bytes: (part) => streams.bytes(streams.terminal ? harmless(decoder.decode(part, { stream: true })) : part),
    data: (text) => streams.out(line(streams.terminal ? harmless(text) : text)),
    value: (value) => streams.out(`${JSON.stringify(value)}\n`),
    say: (text) => {
      if (!options.quiet) streams.err(line(harmless(text)));
    },
    progress: (text) => {
      if (watched) streams.err(line(harmless(text)));
    },
    warn: (text) => {
      if (!options.quiet) streams.err(`${paint(33, "warning:")} ${line(harmless(text))}`);
    },
    problem: (error) => {
      if (options.json) {
        streams.err(`${JSON.stringify({ ...toErrorData(error), status: ERRORS[error.code].status })}\n`);
        return;
      }
      streams.err(`${paint(31, "error:")} ${harmless(error.message)} ${paint(2, `(${error.code})`)}\n`);
      // A single issue is often the message itself: once is enough.
      for (const issue of (error.errors ?? []).filter(({ detail }) => !error.message.includes(detail))) {
        streams.err(harmless(`  ${issue.pointer === "" ? "(the whole)" : issue.pointer}: ${issue.detail}\n`));
      }
      const next = harmless(error.hint ?? ERRORS[error.code].explain);
      streams.err(`${paint(36, "next:")}  ${next.replaceAll("\n", "\n       ")}\n`);
    },
  };
}

/** Control characters but tab and line end as escapes that can be read. */
function harmless(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function line(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

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
  /** How wide stderr is, where a line there can be drawn over. */ columns: number | undefined;
  /** stdout is a terminal: what goes there is read by a person, and by the terminal. */ terminal: boolean;
};

export type Output = {
  readonly json: boolean;
  /** A person watches how far it is: stderr is a terminal, and neither --quiet nor --json says otherwise. */
  readonly watched: boolean;
  /** Whether live() draws. Where it does not, say lines. */
  readonly redraws: boolean;
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
  /** One line below all others that is drawn over each time; undefined takes it away. */
  live(text: string | undefined): void;
  warn(text: string): void;
  problem(error: SwitchyardError): void;
};

const processStreams = (): Streams => ({
  out: (text) => void process.stdout.write(text),
  // A reader that is gone ends the process elsewhere (main.ts), so a failed write is not told here.
  bytes: (part) => new Promise((resolve) => process.stdout.write(part, () => resolve())),
  err: (text) => void process.stderr.write(text),
  watched: process.stderr.isTTY,
  columns: process.stderr.isTTY && process.env["TERM"] !== "dumb" ? process.stderr.columns : undefined,
  terminal: process.stdout.isTTY,
  colour: process.stderr.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
});

export function createOutput(options: { json: boolean; quiet: boolean }, streams: Streams = processStreams()): Output {
  const paint = (code: number, text: string): string => (streams.colour ? `\u001B[${code}m${text}\u001B[0m` : text);
  const watched = streams.watched && !options.quiet && !options.json;
  const decoder = new TextDecoder();
  const { out, err, live } = withLiveLine(streams, watched);
  return {
    json: options.json,
    watched,
    redraws: live !== undefined,
    live: (text) => live?.(text),
    terminal: streams.terminal,
    bytes: (part) => streams.bytes(streams.terminal ? harmless(decoder.decode(part, { stream: true })) : part),
    data: (text) => out(line(streams.terminal ? harmless(text) : text)),
    value: (value) => out(`${JSON.stringify(value)}\n`),
    say: (text) => {
      if (!options.quiet) err(line(harmless(text)));
    },
    progress: (text) => {
      if (watched) err(line(harmless(text)));
    },
    warn: (text) => {
      if (!options.quiet) err(`${paint(33, "warning:")} ${line(harmless(text))}`);
    },
    problem: (error) => {
      if (options.json) {
        err(`${JSON.stringify({ ...toErrorData(error), status: ERRORS[error.code].status })}\n`);
        return;
      }
      err(`${paint(31, "error:")} ${harmless(error.message)} ${paint(2, `(${error.code})`)}\n`);
      // A single issue is often the message itself: once is enough.
      for (const issue of (error.errors ?? []).filter(({ detail }) => !error.message.includes(detail))) {
        err(harmless(`  ${issue.pointer === "" ? "(the whole)" : issue.pointer}: ${issue.detail}\n`));
      }
      const next = harmless(error.hint ?? ERRORS[error.code].explain);
      err(`${paint(36, "next:")}  ${next.replaceAll("\n", "\n       ")}\n`);
    },
  };
}

/** The streams with a line below what they print: it is erased before anything else is written, and drawn again behind it. */
function withLiveLine(
  { out, err, columns }: Streams,
  watched: boolean,
): Pick<Streams, "out" | "err"> & { live?: (text: string | undefined) => void } {
  if (!watched || columns === undefined) return { out, err };
  let line: string | undefined;
  const around =
    (write: (text: string) => void) =>
    (text: string): void => {
      if (line !== undefined) err(ERASE);
      write(text);
      if (line !== undefined) err(line);
    };
  return {
    out: around(out),
    err: around(err),
    live(text) {
      if (line !== undefined) err(ERASE);
      line = text === undefined ? undefined : cut(harmless(text.replaceAll(/\s+/g, " ")), columns - 1);
      if (line !== undefined) err(line);
    },
  };
}

/** To the line's begin, and all of it away. */
const ERASE = "\r\u001B[2K";

function cut(text: string, width: number): string {
  const characters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
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

/**
 * Secrets stay out of text that leaves the platform as a log or as an error: by value where the value is known, and by form
 * where only its place gives it away (bearers, tokens, credentials in addresses).
 *
 * The values known to this isolate are kept here for its own lines, which only operators read. What callers read is redacted
 * by the values of that very call: else an answer would tell who guesses whether a guess is somebody's secret.
 */

/** Values under 4 characters stay: they would blot out ordinary text. */
const MIN_CHARS = 4;
const MAX_KNOWN = 1_000;
const BLANK = "[secret]";

const known = new Set<string>();
let redactKnown: ((text: string) => string) | undefined;

/** Values that were opened here. The oldest are forgotten beyond MAX_KNOWN. */
export function noteSecrets(values: Iterable<string | undefined>): void {
  for (const value of values) {
    if (value === undefined || value.length < MIN_CHARS || known.has(value)) continue;
    const [oldest] = known;
    if (known.size >= MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    known.add(value);
    redactKnown = undefined;
  }
}

/** Blanks out these values, as they are and as JSON, addresses and Basic credentials write them. */
export function redactor(values: Iterable<string>): (text: string) => string {
  const forms = new Set<string>();
  for (const value of values) {
    if (value.length < MIN_CHARS) continue;
    forms.add(value).add(JSON.stringify(value).slice(1, -1));
    if (value.isWellFormed()) forms.add(encodeURIComponent(value));
  }
  if (forms.size === 0) return (text) => text;
  // Longest first: one may be part of another. One pass over the text, however many there are.
  const ordered = [...forms]
    .toSorted((a, b) => b.length - a.length)
    .map((form) => form.replaceAll(SYNTAX, String.raw`\$&`));
  const any = new RegExp(ordered.join("|"), "g");
  return (text) => text.replace(any, BLANK);
}

const SYNTAX = /[\\^$.*+?()[\]{}|/-]/g;

/** Every repetition is bounded: whoever writes a line must not be able to make its reading slow. */
const FORMS: readonly [RegExp, string][] = [
  [/\b(sy_[0-9a-z]{16}_)[0-9a-z]{32}/g, `$1${BLANK}`],
  [/\b(Bearer|Basic)(\s{1,8})[A-Za-z0-9._~+/-]{6,}=*/gi, `$1$2${BLANK}`],
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"':]{0,256}:[^\s/@"']{0,256}@/gi, `$1${BLANK}@`],
  [/([?&](?:[\w-]{0,40}(?:token|secret|password|signature|credential|key)|sig|code)=)[^&\s"'<>]+/gi, `$1${BLANK}`],
  [
    /\b((?:proxy-authorization|authorization|[a-z-]{0,30}api-key|x-functions-key|set-cookie|cookie)["']?\s{0,8}[:=](?!\s{0,8}["']?(?:Bearer|Basic)\b)\s{0,8}["']?)[^"'\r\n]+/gi,
    `$1${BLANK}`,
  ],
];

/** For a line of the platform's own: all values known here, and whatever has the form of a secret. */
export function redactLine(text: string): string {
  redactKnown ??= redactor(known);
  let redacted = redactKnown(text);
  for (const [form, blank] of FORMS) redacted = redacted.replace(form, blank);
  return redacted;
}

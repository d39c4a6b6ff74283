import { afterEach, describe, expect, it, vi } from "vitest";
import { log, logError } from "./log.ts";
import { noteSecrets, redactLine, redactor } from "./redact.ts";

describe("redactor()", () => {
  it("blanks a value out as it is, in JSON, in an address", () => {
    const redact = redactor(["two\nlines", "a b&c=d"]);
    expect(redact('said "two\\nlines" and two\nlines')).toBe('said "[secret]" and [secret]');
    expect(redact("GET /?q=a%20b%26c%3Dd")).toBe("GET /?q=[secret]");
  });

  it("blanks the longer of two out whole", () => {
    expect(redactor(["hunter", "hunter2-and-more"])("hunter2-and-more, hunter")).toBe("[secret], [secret]");
  });

  it("leaves short values: they would blot out ordinary text", () => {
    expect(redactor(["abc", ""])("abc")).toBe("abc");
  });

  it("takes what means something in a pattern for what it is", () => {
    const odd = "a.b*c[d]\\e(f)|g^$-{2}/";
    expect(redactor([odd, "....", "$&$1"])(`${odd} abcd $&$1`)).toBe("[secret] abcd [secret]");
  });

  it("takes a value that is no well-formed text", () => {
    expect(redactor(["\ud800abcd"])("x\ud800abcdx")).toBe("x[secret]x");
  });
});

describe("redactLine()", () => {
  it.each([
    [`used sy_${"0".repeat(16)}_${"a".repeat(32)} here`, `used sy_${"0".repeat(16)}_[secret] here`],
    ["authorization: Bearer abcdef.ghi-jkl=", "authorization: Bearer [secret]"],
    ["Basic dXNlcjpwYXNz", "Basic [secret]"],
    ['{"x-api-key":"12345"}', '{"x-api-key":"[secret]"}'],
    ["Cookie: a=b; c=d", "Cookie: [secret]"],
    ["libsql://user:pass@host/db failed", "libsql://[secret]@host/db failed"],
    ["https://x/?access_token=abc&y=1", "https://x/?access_token=[secret]&y=1"],
    ["https://x/?a=1&X-Amz-Signature=abc&sig=d", "https://x/?a=1&X-Amz-Signature=[secret]&sig=[secret]"],
    ["nothing to hide: https://host/path?page=2", "nothing to hide: https://host/path?page=2"],
  ])("of %j says %j", (text, expected) => expect(redactLine(text)).toBe(expected));

  it.each([
    ["words with dashes", "a-".repeat(8_000)],
    ["words with dots", "a.".repeat(8_000)],
    ["colons after a scheme", `x://${":".repeat(16_000)}`],
    ["many schemes", "xy://a:".repeat(2_300)],
    ["parameters", "?a&b-".repeat(3_200)],
    ["spaces after Bearer", `Bearer${" ".repeat(16_000)}`],
    ["headers without end", "cookie ".repeat(2_300)],
  ])("reads a long line of %s in no time", (_what, text) => {
    noteSecrets(Array.from({ length: 1_000 }, (_, n) => `some-secret-value-number-${n}-of-many`));
    redactLine("warm");
    const startedAt = performance.now();
    redactLine(text);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  it("knows the values that were opened here, and forgets the oldest of very many", () => {
    noteSecrets(["hunter-two", undefined]);
    expect(redactLine("it is hunter-two")).toBe("it is [secret]");
    noteSecrets(Array.from({ length: 1_000 }, (_, n) => `value-${n}-`));
    expect(redactLine("hunter-two and value-999-")).toBe("hunter-two and [secret]");
  });
});

describe("log()", () => {
  afterEach(() => vi.restoreAllMocks());

  it("writes one line of JSON, redacted, with what it is about", () => {
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
    noteSecrets(["open-sesame"]);
    const cause = new Error("said open-sesame", { cause: new TypeError("Bearer abcdefgh") });
    logError("cannot go on", cause, {
      execution: "ex_1",
      operation: "echo",
      traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
      stack: "at open-sesame",
      atMs: 0,
    });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        level: "error",
        at: "1970-01-01T00:00:00.000Z",
        message: "cannot go on: Error: said [secret], because of TypeError: Bearer [secret]",
        execution: "ex_1",
        operation: "echo",
        trace_id: "a".repeat(32),
        stack: "at [secret]",
      },
    ]);
    expect(lines[0]).not.toContain("\n");
  });

  it("leaves out what is not known", () => {
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
    log("info", "hello", { traceparent: "t" });
    expect(Object.keys(JSON.parse(lines[0] ?? "") as object)).toEqual(["level", "at", "message"]);
  });
});

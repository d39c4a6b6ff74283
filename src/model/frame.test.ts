import { describe, expect, it } from "vitest";
import { joinFrame, parseResult } from "./frame.ts";

const failed = (error: unknown) => joinFrame({ ok: false, error, retry: { kind: "may" }, logs: [] }, "");

describe("parseResult()", () => {
  it("reads what an isolate says of a success and of a failure", () => {
    expect(parseResult('{"ok":true,"logs":[]}\n1')).toEqual({ ok: true, output: "1", logs: [] });
    const error = {
      code: "output_not_json",
      detail: "d",
      hint: "h",
      errors: [{ pointer: "", keyword: "k", detail: "e" }],
    };
    expect(parseResult(failed(error))).toEqual({ ok: false, error, retry: { kind: "may" }, logs: [] });
  });

  it.each([
    ["no error at all", undefined],
    ["a code that is none", { code: "constructor", detail: "d" }],
    ["a code that only the platform may say", { code: "token_expired", detail: "d" }],
    ["a detail that is no text", { code: "implementation_failed", detail: { a: 1 } }],
    ["errors that are no list", { code: "implementation_failed", detail: "d", errors: "e" }],
  ])("takes a failure with %s for a failure of the implementation", (_what, error) => {
    expect(parseResult(failed(error))).toMatchObject({
      ok: false,
      error: { code: "implementation_failed", detail: expect.stringContaining("Cannot read the isolate's answer") },
    });
  });

  it.each([
    ["no output", '{"ok":true,"logs":[]}\n'],
    ["no output and a log", '{"ok":true,"logs":[{"level":"info","message":"m","at_ms":1}]}\n'],
    ["logs that are no lines", '{"ok":true,"logs":["x",null]}\n1'],
    ["no object", "null\n1"],
    [
      "too many lines",
      joinFrame(
        { ok: true, logs: Array.from({ length: 1_000 }, () => ({ level: "info", message: "m", at_ms: 1 })) },
        "1",
      ),
    ],
  ])("takes a success with %s for a failure of the implementation", (_what, frame) => {
    expect(parseResult(frame)).toMatchObject({ ok: false, error: { code: "implementation_failed" } });
  });
});

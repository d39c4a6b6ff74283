import { describe, expect, test } from "vitest";
import { KIND_WORDS } from "./kinds.ts";
import { SwitchyardError } from "../src/core/errors.ts";
import { readSettings, withTextHint } from "./settings.ts";

const text = KIND_WORDS.operation.text;

describe("readSettings()", () => {
  test.each([
    [["timeout_ms=1000"], { timeout_ms: 1000 }],
    [["active=false"], { active: false }],
    [["input_type=echo_input"], { input_type: "echo_input" }],
    [["input_type=null"], { input_type: null }],
    [["implemented_at=echo:echo2"], { implemented_at: "echo:echo2" }],
    [["name=7", "description=true"], { name: "7", description: "true" }],
    [['network:=["a.example"]'], { network: ["a.example"] }],
    [['output_type={"name":"t","attributes":{}}'], { output_type: { name: "t", attributes: {} } }],
    [["requires.gpu=true", "requires.mem.mb=5"], { requires: { gpu: true, mem: { mb: 5 } } }],
  ])("reads %j", (words, settings) => {
    expect(readSettings(words, text)).toEqual(settings);
  });

  test.each([['output_type={"name":t}'], ["network=[a"], ["timeout_ms:=soon"], ["nothing"]])("refuses %s", (word) => {
    expect(() => readSettings([word], text)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

const hintOf = (pointer: string, detail: string, words: string[]) => {
  const errors = [{ pointer, keyword: "string", detail }];
  return withTextHint(new SwitchyardError("definition_invalid", "no", { errors }), words).hint;
};

describe("withTextHint()", () => {
  test.each([
    ["/variables/X", "must be string; it is 1", ["-s", "variables.X=1"], `-s 'variables.X="1"'`],
    ["/variables/X", "must be string; it is true", ["--set=variables.X=true"], `-s 'variables.X="true"'`],
    ["/variables/X", "must be string; it is 1", ["-f", "row.yaml"], undefined],
    ["/timeout_ms", "must be number; it is true", ["-s", "timeout_ms=true"], undefined],
  ])("%s %s with %j", (pointer, detail, words, hint) => {
    expect(hintOf(pointer, detail, words)).toBe(hint);
  });
});

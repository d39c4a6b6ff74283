import { describe, expect, it } from "vitest";
import { SwitchyardError } from "./errors.ts";
import { parseJson, parseJsonText } from "./json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function refusal(run: () => unknown): { code: string; detail: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof SwitchyardError) return { code: error.code, detail: error.message };
    throw error;
  }
  throw new Error("was accepted");
}

describe("parseJson()", () => {
  it("answers the value and its text", () => {
    const text = ' {"a":[1,{"b":"x:,{}[]\\"\\\\"}],"c":{},"d":[]} ';
    expect(parseJson(bytes(text))).toEqual({ value: JSON.parse(text), text });
  });

  it("drops one byte order mark", () => {
    expect(parseJson(bytes("\ufeff1"))).toEqual({ value: 1, text: "1" });
  });

  it.each([
    ["", "line 1, column 1 must have a value; it is the end of the text"],
    ["{", 'line 1, column 2 must have a key in double quotes or "}"; it is the end of the text'],
    ['{"a":1,}', 'line 1, column 8 must have a key in double quotes; it is "}"'],
    ["[1,\n 2,\n tru]", 'line 3, column 2 must have a value; it is "tru"'],
    ['{"a" 1}', 'line 1, column 6 must have ":"; it is "1"'],
    ["[1}", 'line 1, column 3 must have "," or the closing bracket; it is "}"'],
    ["1 2", 'line 1, column 3 must have nothing more; it is "2"'],
    ["01", 'line 1, column 1 must have a value; it is "01"'],
    ['"\n"', 'line 1, column 1 must have a value; it is "\\""'],
    ["'a'", "line 1, column 1 must have a value; it is \"'a'\""],
    ['"\\x"', 'line 1, column 1 must have a value; it is "\\"\\\\x\\""'],
    ["NaN", 'line 1, column 1 must have a value; it is "NaN"'],
    ["\ufeff\ufeff1", 'line 1, column 1 must have a value; it is "1"'],
    ["]", 'line 1, column 1 must have a value; it is "]"'],
  ])("refuses %j with the place", (text, place) => {
    const { code, detail } = refusal(() => parseJson(bytes(text)));
    expect(code).toBe("malformed_json");
    if (!text.startsWith("\ufeff")) expect(detail).toContain(place);
  });

  it.each([
    [[0xff], "invalid_utf8"],
    [[0x22, 0xc0, 0xaf, 0x22], "invalid_utf8"],
    [[0x22, 0xed, 0xa0, 0x80, 0x22], "invalid_utf8"],
  ])("refuses the bytes %j as %s", (raw, code) => {
    expect(refusal(() => parseJson(new Uint8Array(raw))).code).toBe(code);
  });

  it.each([
    ['{"a":1,"a":2}', '"a" is there twice in the object at ""'],
    ['{"x":[0,{"k":1,"\\u006b":2}]}', '"k" is there twice in the object at "/x/1"'],
    ['{"__proto__":1,"__proto__":2}', '"__proto__"'],
    ['{"":1,"b":{"c":{}},"":3}', '"" is there twice'],
    ['{"a/b":{"k":1,"k":1}}', 'object at "/a~1b"'],
  ])("refuses %s for its duplicate key", (text, said) => {
    const { code, detail } = refusal(() => parseJson(bytes(text)));
    expect(code).toBe("duplicate_key");
    expect(detail).toContain(said);
  });

  it.each(['{"__proto__":{"x":1}}', '[{"\\u005f_proto__":1}]', '{"a":{"__pr\\u006Fto__":1}}'])(
    "refuses %s for its key",
    (text) => {
      expect(refusal(() => parseJson(bytes(text))).code).toBe("forbidden_key");
    },
  );

  it("takes __proto__ as a string, and keys that only look like it", () => {
    const text = '{"a":"__proto__","__proto":1,"constructor":1,"toString":"\\u005f"}';
    expect(parseJson(bytes(text)).text).toBe(text);
  });

  it.each([200_000, 65])("refuses depth %d without a stack overflow", (depth) => {
    expect(refusal(() => parseJson(bytes("[".repeat(depth) + "]".repeat(depth)))).code).toBe("input_too_deep");
    expect(refusal(() => parseJson(bytes('{"a":'.repeat(depth)))).code).toBe("input_too_deep");
  });

  it.each(["1e400", "-1e400", "[1,[2e999]]", '{"a":[1,{"b":1E+309}]}', "1" + "0".repeat(309)])(
    "refuses %s: what is read would be Infinity, and be written as null",
    (text) => {
      const { code, detail } = refusal(() => parseJson(bytes(text)));
      expect(code).toBe("malformed_json");
      expect(detail).toContain("too large");
    },
  );

  it("takes the largest and the smallest numbers", () => {
    expect(parseJson(bytes('[1.7976931348623157e308,{"a":1e-400},-0]')).value).toEqual([
      Number.MAX_VALUE,
      { a: 0 },
      -0,
    ]);
  });

  it("takes depth up to the limit", () => {
    expect(parseJson(bytes("[".repeat(64) + "]".repeat(64))).value).toBeInstanceOf(Array);
  });

  it("counts every value, an empty container as one", () => {
    const limits = { nodes: 6 };
    expect(parseJsonText('[[],{},{"a":[ ]},1]', { nodes: 6 })).toBeInstanceOf(Array);
    expect(refusal(() => parseJsonText('[[],{},{"a":[ 1 ]},1]', limits)).code).toBe("input_too_complex");
    expect(refusal(() => parseJsonText("[1,2,3,4,5,6]", limits)).code).toBe("input_too_complex");
  });

  it("refuses more bytes than the limit, and says both numbers", () => {
    const { code, detail } = refusal(() => parseJson(bytes("[1,2,3]"), { bytes: 6 }));
    expect(code).toBe("payload_too_large");
    expect(detail).toContain("at most 6 bytes are taken; it is 7 bytes");
  });

  it("agrees with JSON.parse on every text made by cutting and changing good ones", () => {
    const seeds = ['{"a":[1,-2.5e3,true,null],"b":"\\u0041\\n"}', "[[],{},[{}]]", '"x"', "-0", "[1e40]"];
    for (const seed of seeds) {
      for (let at = 0; at <= seed.length; at++) {
        for (const text of [seed.slice(0, at), seed.slice(at), seed.slice(0, at) + "," + seed.slice(at + 1)]) {
          let native: unknown;
          try {
            native = JSON.parse(text);
          } catch {
            expect(refusal(() => parseJsonText(text)).code, text).toBe("malformed_json");
            continue;
          }
          expect(parseJsonText(text), text).toEqual(native);
        }
      }
    }
  });
});

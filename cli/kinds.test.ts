import { toJsonSchema } from "@valibot/to-json-schema";
import { describe, expect, test } from "vitest";
import { KINDS, type Kind } from "../src/model/entities.ts";
import { KIND_NAMES, KIND_WORDS, parseKind } from "./kinds.ts";

/** They may be null, and begin like JSON. */
const EXPRESSIONS = new Set(["mapping", "dedupe"]);

describe("KIND_WORDS", () => {
  test("has exactly the kinds of the model, with their plurals", () => {
    expect(Object.fromEntries(KIND_NAMES.map((kind) => [kind, KIND_WORDS[kind].plural]))).toEqual(
      Object.fromEntries(Object.entries(KINDS).map(([kind, { plural }]) => [kind, plural])),
    );
  });

  test.each(KIND_NAMES)("knows every field of %s that is plain text or an expression", (kind: Kind) => {
    const schema = toJsonSchema(KINDS[kind].schema, { errorMode: "ignore" });
    const plain = Object.entries(schema.properties ?? {})
      .filter(
        ([name, property]) =>
          EXPRESSIONS.has(name) || (typeof property === "object" && "type" in property && property.type === "string"),
      )
      .map(([name]) => name);
    expect([...KIND_WORDS[kind].text].toSorted()).toEqual(plain.toSorted());
  });
});

describe("parseKind()", () => {
  test.each([["operation"], ["operations"], ["Operations"]])("takes %s", (word) => {
    expect(parseKind(word)).toBe("operation");
  });
  test("refuses another word with the nearest", () => {
    expect(() => parseKind("secrts")).toThrow(
      expect.objectContaining({ code: "usage", hint: 'Did you mean "secrets"?' }),
    );
  });
});

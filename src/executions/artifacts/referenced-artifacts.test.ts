import { describe, expect, it } from "vitest";
import { MAX_REFERENCES, referencedArtifacts } from "./referenced-artifacts.ts";
import { newArtifactId } from "./artifact-ids.ts";

const A = newArtifactId(1, 1_700_000_000_000);
const B = newArtifactId(255, 1_700_000_000_001);

describe("referencedArtifacts()", () => {
  it.each<[string, string, string[]]>([
    ["an id anywhere in the input", JSON.stringify({ a: [{ b: A }], c: B }), [A, B]],
    ["an id as the whole input", JSON.stringify(A), [A]],
    ["an id as a key", JSON.stringify({ [A]: 1 }), [A]],
    ["one id once", JSON.stringify([A, A]), [A]],
    ["nothing", "{}", []],
    ["no id inside a longer string", JSON.stringify(`see ${A}`), []],
    ["no id that goes on", JSON.stringify(`${A}0`), []],
    ["no id that is cut off", JSON.stringify(A.slice(0, -1)), []],
    ["no letter that ids do not have", JSON.stringify(A.slice(0, -1) + "u"), []],
    ["no execution's id", JSON.stringify(A.replace("ar_", "ex_")), []],
    ["an id after something that only begins like one", JSON.stringify(["ar_", "ar_01", A]), [A]],
  ])("finds %s", (_what, text, found) => {
    expect(referencedArtifacts(text)).toEqual(found);
  });

  it(`finds ${MAX_REFERENCES} at most`, () => {
    const many = Array.from({ length: MAX_REFERENCES + 5 }, (_, index) => newArtifactId(0, index));
    expect(referencedArtifacts(JSON.stringify(many))).toEqual(many.slice(0, MAX_REFERENCES));
  });

  it("answers the same each time it is asked", () => {
    const text = JSON.stringify([A]);
    expect([referencedArtifacts(text), referencedArtifacts(text)]).toEqual([[A], [A]]);
  });
});

import { describe, expect, it } from "vitest";
import { FrameReader, packFrame } from "./frames.ts";

const texts = ["", "one\ntwo 3 4\n", "ü🚂日本", "x".repeat(1_000)];
const packed = texts.map((text, i) => packFrame([i, 200], text)).join("");

function readAll(pieces: Iterable<string>): (readonly [readonly number[], string])[] {
  const reader = new FrameReader();
  const seen = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next())
      seen.push([frame.numbers, frame.text] as const);
  }
  return seen;
}

describe("FrameReader", () => {
  it.each([
    ["whole", [packed]],
    ["in single characters", packed.split("")],
    ["in pieces that end within a frame's line", packed.split(/(?<= 200 )/)],
  ])("next() finds the frames of a text that arrives %s", (_how, pieces) => {
    expect(readAll(pieces)).toEqual(texts.map((text, i) => [[i, 200], text]));
  });

  it("next() gives nothing while a frame is not whole", () => {
    expect(readAll([packed.slice(0, -1)])).toHaveLength(texts.length - 1);
  });

  it.each(["\n", "x 3\nabc", "1 -\nabc", "1.5 3\nabc"])("next() throws for %j", (text) => {
    expect(() => readAll([text])).toThrow("no frame");
  });
});

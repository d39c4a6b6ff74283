import { expect, it } from "vitest";
import { inPieces } from "./pieces.ts";

it.each<[string, number[], number[][]]>([
  ["nothing", [], []],
  ["what fits together", [1, 2, 3], [[1, 2, 3]]],
  ["up to the size and no further", [3, 3, 3], [[3, 3], [3]]],
  ["what is larger by itself", [1, 9, 1], [[1], [9], [1]]],
])("inPieces() cuts %s", (_what, sizes, pieces) => {
  expect([...inPieces(sizes, (size) => size, 6)]).toEqual(pieces);
});

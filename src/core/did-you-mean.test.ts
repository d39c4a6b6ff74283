import { expect, test } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

test.each([
  ["contres", ["counters", "contracts_of_all"], "counters"],
  ["lst_albums", ["get_album", "list_albums"], "list_albums"],
  ["ehco", ["echo", "each"], "echo"],
  ["albms", ["albums"], "albums"],
  ["albums", [], undefined],
  ["shop", ["albums", "counters"], undefined],
])("didYouMean(%j) among %j is %j", (name, candidates, near) => {
  expect(didYouMean(name, candidates)).toBe(near);
});

import { expect, it } from "vitest";
import { Suspects } from "./_suspects.ts";

const kill = { killed: true };

it("accuse() gives suspects free slots first and lets the rest share", () => {
  const suspects = new Suspects([2, 3]);
  for (const operation of ["a", "b", "c"]) suspects.accuse(operation, kill);
  expect(suspects.placements()).toEqual({ a: 2, b: 3, c: 2 });
  expect(suspects.isUsed(3)).toBe(true);
  suspects.clear("b");
  expect(suspects.isUsed(3)).toBe(false);
});

it("accuse() frees everyone else from the slot of an operation that kills again", () => {
  const suspects = new Suspects([2, 3]);
  for (const operation of ["a", "b", "c", "a"]) suspects.accuse(operation, kill);
  expect(suspects.placements()).toEqual({ a: 2, b: 3, c: 3 });
  suspects.accuse("b", kill);
  // Killers hold both slots: the mere suspect goes back among the rest.
  expect(suspects.placements()).toEqual({ a: 2, b: 3 });
  suspects.accuse("d", kill);
  expect(suspects.placements()).toEqual({ a: 2, b: 3 });
  suspects.accuse("d", kill);
  expect(suspects.placements()).toEqual({ a: 2, b: 3, d: 2 });
});

it("accuse() for a stall alone never makes a killer", () => {
  const suspects = new Suspects([2]);
  for (let i = 0; i < 5; i++) suspects.accuse("a", { killed: false });
  suspects.accuse("b", { killed: false });
  expect(suspects.placements()).toEqual({ a: 2, b: 2 });
});

it("accuse() without dedicated slots places nobody", () => {
  const suspects = new Suspects([]);
  suspects.accuse("a", kill);
  expect(suspects.placements()).toEqual({});
});

it("acquit() takes back the suspicion of a stall, not that of a kill", () => {
  const suspects = new Suspects([2]);
  suspects.accuse("slow", { killed: false });
  suspects.accuse("deadly", kill);
  suspects.acquit(["slow", "deadly", "unknown"]);
  expect(suspects.placements()).toEqual({ deadly: 2 });
});

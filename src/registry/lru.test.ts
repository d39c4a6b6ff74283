import { expect, test } from "vitest";
import { Lru } from "./lru.ts";

test("Lru forgets what was used longest ago when there are too many entries", () => {
  const lru = new Lru<number>({ maxEntries: 2, maxBytes: 1_000 });
  lru.set("a", 1, 1);
  lru.set("b", 2, 1);
  expect(lru.get("a")).toBe(1);
  lru.set("c", 3, 1);
  expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual([1, undefined, 3]);
});

test("Lru stays within its bytes, counts a replaced entry once, and does not keep what is too large", () => {
  const lru = new Lru<number>({ maxEntries: 100, maxBytes: 10 });
  lru.set("a", 1, 4);
  lru.set("a", 2, 4);
  lru.set("b", 3, 4);
  expect([lru.size, lru.bytes]).toEqual([2, 8]);
  lru.set("c", 4, 4);
  expect([lru.get("a"), lru.size, lru.bytes]).toEqual([undefined, 2, 8]);
  lru.set("d", 5, 11);
  expect(lru.get("d")).toBeUndefined();
  lru.clear();
  expect([lru.size, lru.bytes]).toEqual([0, 0]);
});

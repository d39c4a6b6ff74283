import { expect, it } from "vitest";
import { parseIdempotencyKey } from "./idempotency.ts";

it.each([
  [null, undefined],
  ["order-42", "order-42"],
  ['"order-42"', "order-42"],
  ["  order-42  ", "order-42"],
  [String.raw`"say \"hi\" \\"`.replaceAll(" ", "_"), String.raw`say_"hi"_\ `.trim()],
  ["8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"],
  ["~".repeat(255), "~".repeat(255)],
  [`"${"~".repeat(255)}"`, "~".repeat(255)],
  ["a,b;c", "a,b;c"],
])("parseIdempotencyKey() reads %j", (header, key) => {
  expect(parseIdempotencyKey(header)).toBe(key);
});

it.each([
  "",
  '""',
  "two words",
  '"two words"',
  "a, b",
  '"a", "b"',
  '"a";b=1',
  '"open',
  'open"',
  'in"side',
  String.raw`"\a"`,
  String.raw`back\slash`,
  "ümlaut",
  "\u007f",
  "a".repeat(256),
  `"${"a".repeat(256)}"`,
])("parseIdempotencyKey() refuses %j", (header) => {
  expect(() => parseIdempotencyKey(header)).toThrow(/^Cannot read the header Idempotency-Key: it must be 1 to 255/);
});

import { expect, test } from "vitest";
import { fromErrorData, toErrorData, type ErrorData } from "./errors.ts";

test.each<[string, ErrorData]>([
  ["the least that there is", { code: "timeout", detail: "Cannot wait" }],
  ["a hint and when to ask again", { code: "rate_limited", detail: "Cannot yet", hint: "wait", after_ms: 500 }],
  [
    "what breaks rules",
    { code: "input_invalid", detail: "no", errors: [{ pointer: "/a", keyword: "type", detail: "x" }] },
  ],
])("an error goes over as data and comes back whole: %s", (_what, data) => {
  expect(toErrorData(fromErrorData(data))).toEqual(data);
});

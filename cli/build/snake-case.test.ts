import { expect, test } from "vitest";
import { snakeCase } from "./snake-case.ts";

test.for([
  ["EchoInput", "echo_input"],
  ["EchoOutput2", "echo_output2"],
  ["wordCount", "word_count"],
  ["HTTPRequest", "http_request"],
  ["userID", "user_id"],
  ["word-count", "word_count"],
  ["already_snake", "already_snake"],
  ["$value", "value"],
  ["_private", "private"],
  ["2fast", "fast"],
  ["名前", undefined],
  ["___", undefined],
  ["x".repeat(200), undefined],
] as const)("snakeCase() makes %s %s", ([identifier, name]) => {
  expect(snakeCase(identifier)).toBe(name);
});

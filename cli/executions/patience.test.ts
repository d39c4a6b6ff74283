import { expect, test } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import { createPatience } from "./patience.ts";

const QUIET = { tell: () => undefined };
const AWAY = new SwitchyardError("platform_unreachable", "Cannot reach it");

test("createPatience() waits longer and longer, for a minute from the first failure", () => {
  let now = 0;
  const patience = createPatience(QUIET, () => now);
  expect([1, 2, 3, 4, 5, 6].map(() => patience.afterFailure(AWAY))).toEqual([100, 200, 400, 800, 1600, 2000]);
  now = 60_000;
  expect(patience.afterFailure(AWAY)).toBe(2000);
  now = 60_001;
  expect(() => patience.afterFailure(AWAY)).toThrow(AWAY);
});

test("createPatience() begins anew after an answer", () => {
  let now = 0;
  const patience = createPatience(QUIET, () => now);
  patience.afterFailure(AWAY);
  patience.restore();
  now = 100_000;
  expect(patience.afterFailure(new TypeError("terminated"))).toBe(100);
});

test("createPatience() has none with a refusal", () => {
  const refusal = new SwitchyardError("token_unknown", "Cannot accept the token");
  expect(() => createPatience(QUIET).afterFailure(refusal)).toThrow(refusal);
});

test("createPatience() tells once that the platform is lost, and that it is back", () => {
  const told: string[] = [];
  const patience = createPatience({ tell: (text) => void told.push(text) });
  patience.restore();
  patience.afterFailure(new TypeError("terminated"));
  patience.afterFailure(AWAY);
  patience.reached();
  patience.restore();
  patience.afterFailure(AWAY);
  expect(told).toEqual([
    "the platform is lost: terminated; asking again for a minute",
    "the platform is back",
    "the platform is lost: Cannot reach it; asking again for a minute",
  ]);
});

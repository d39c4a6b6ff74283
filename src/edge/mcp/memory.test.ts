import { describe, expect, test } from "vitest";
import { Memory } from "./memory.ts";

const A = { principal: "p", session: "a" };
const B = { principal: "p", session: "b" };

describe("Memory", () => {
  test("knows the execution behind a request of one client, and of no other, until it is forgotten", () => {
    const memory = new Memory();
    const forget = memory.remember(A, 1, "ex_1");
    memory.remember(B, 1, "ex_2");
    expect(memory.running(A, 1)).toBe("ex_1");
    expect(memory.running(A, "1")).toBeUndefined();
    expect(memory.running({ ...A, principal: "q" }, 1)).toBeUndefined();
    forget();
    expect(memory.running(A, 1)).toBeUndefined();
    expect(memory.running(B, 1)).toBe("ex_2");
  });

  test("keeps what a later request with the same id put in its place", () => {
    const memory = new Memory();
    const forget = memory.remember(A, 1, "ex_1");
    memory.remember(A, 1, "ex_2");
    forget();
    expect(memory.running(A, 1)).toBe("ex_2");
  });

  test("knows nothing of clients that show no session: they could be anybody", () => {
    const memory = new Memory();
    const nobody = { principal: "p", session: undefined };
    memory.remember(nobody, 1, "ex_1");
    memory.setLevel(nobody, "debug");
    expect([memory.running(nobody, 1), memory.level(nobody)]).toEqual([undefined, undefined]);
  });

  test("knows the level that a client asked for", () => {
    const memory = new Memory();
    memory.setLevel(A, "error");
    expect([memory.level(A), memory.level(B)]).toEqual(["error", undefined]);
  });
});

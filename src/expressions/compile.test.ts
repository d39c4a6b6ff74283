import { describe, expect, it } from "vitest";
import { compileExpression } from "./index.ts";
describe("x", () => {
  it("y", async () => {
    const e = await compileExpression(
      '{"a": items[price > 2].name, "n": $sum(items.price), "r": $replace("aab", /a+/, "x"), "s": items^(>price).name, "d": missing ?? "z"}',
    );
    expect(
      await e.evaluate({
        items: [
          { name: "q", price: 1 },
          { name: "w", price: 3 },
        ],
      }),
    ).toEqual({ a: "w", n: 4, r: "xb", s: ["w", "q"], d: "z" });
  });
});

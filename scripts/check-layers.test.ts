import { describe, expect, it } from "vitest";
import { violations } from "./check-layers.ts";

describe("violations()", () => {
  it("allows a lower layer and the own folder", () => {
    const source =
      'import { a } from "../core/a.ts";\nimport type { B } from "./b.ts";\nexport { c } from "../model/c.ts";';
    expect(violations("dispatch/dispatch.ts", source)).toEqual([]);
  });

  it.each([
    ["a sibling", "registry/a.ts", 'import { b } from "../adapters/b.ts";'],
    ["a higher layer", "core/a.ts", 'import { b } from "../model/b.ts";'],
    ["a type from a higher layer", "types/a.ts", 'import type { B } from "../edge/b.ts";'],
    ["a re-export from a higher layer", "types/a.ts", 'export type { B } from "../edge/b.ts";'],
    ["an import over several lines", "core/a.ts", 'import {\n  a,\n  b,\n} from "../edge/b.ts";'],
    ["a dynamic import", "core/a.ts", 'const b = await import("../edge/b.ts");'],
    ["a type-only import expression", "core/a.ts", 'type B = import("../edge/b.ts").B;'],
    ["an import from outside src", "core/a.ts", 'import { b } from "../../cli/b.ts";'],
    ["a folder that the table does not know", "unknown/a.ts", ""],
  ])("finds %s", (_, file, source) => {
    expect(violations(file, source)).toHaveLength(1);
  });
});

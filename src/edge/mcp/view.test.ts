import { describe, expect, test } from "vitest";
import type { Scope } from "../../model/scope.ts";
import type { Principal } from "../../model/principal.ts";
import { parseView, selectionOf } from "./view.ts";

const holding = (...scopes: Scope[]): Principal => ({ id: "p", name: "p", scopes });
const selected = (query: string, ...scopes: Scope[]) =>
  selectionOf(parseView(`http://x/mcp${query}`), holding(...scopes));

describe("selectionOf()", () => {
  test.each<[string, Scope[], groups: string[] | undefined, builtins: boolean]>([
    ["", ["ops:invoke"], undefined, false],
    ["", ["admin"], undefined, false],
    ["", ["ops:invoke:a", "ops:invoke:b"], ["a", "b"], false],
    ["", ["registry:read"], [], false],
    ["?builtins=true", ["ops:invoke"], undefined, true],
    ["?builtins=false", ["ops:invoke"], undefined, false],
    ["?group=a", ["ops:invoke"], ["a"], true],
    ["?group=a&group=c", ["ops:invoke:a", "ops:invoke:b"], ["a"], true],
    ["?group=c", ["ops:invoke:a"], [], true],
    ["?group=a&builtins=false", ["ops:invoke"], ["a"], true],
  ])("%s of a token with %j", (query, scopes, groups, builtins) => {
    expect(selected(query, ...scopes)).toMatchObject({ groups, builtins });
  });

  test("has the functions of the platform that the token could call", () => {
    expect(selected("", "ops:invoke").functions).toEqual(expect.arrayContaining(["chain", "cancel_execution"]));
    expect(selected("", "ops:invoke").functions).not.toContain("list_type");
    expect(selected("", "ops:invoke", "registry:read").functions).toContain("list_type");
    expect(selected("", "ops:invoke", "registry:write").functions).not.toContain("delete_token");
    expect(selected("", "admin").functions).toContain("delete_token");
  });

  test.each(["?group=", "?group=A", "?group=a%20b", "?builtins=", "?builtins=1"])("%s is refused", (query) => {
    expect(() => selected(query, "ops:invoke")).toThrow("Cannot read the parameter");
  });
});

import { describe, expect, test } from "vitest";
import { annotationsOf } from "./annotations.ts";
import { BUILTINS } from "./definitions.ts";

describe("annotationsOf()", () => {
  test.each(Object.values(BUILTINS))(
    "$name is read_only just where reading is all that its scope allows",
    (builtin) => {
      // The one look that is for whoever directs what is looked at.
      const reads = builtin.scope === "registry:read" || builtin.name === "observe_service_progress";
      expect(annotationsOf(builtin.name).read_only).toBe(reads);
    },
  );

  test.each([
    ["create_type", false],
    ["duplicate_type", false],
    ["put_type", true],
    ["edit_type", true],
    ["rollback_type", true],
    ["delete_type", true],
    ["cancel_execution", true],
    ["list_type", null],
    ["chain", null],
    ["constructor", null],
  ])("%s: destructive is %s", (name, destructive) => {
    expect(annotationsOf(name).destructive).toBe(destructive);
  });
});

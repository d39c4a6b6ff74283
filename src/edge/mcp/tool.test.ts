import { describe, expect, test } from "vitest";
import type { ClosedOperation } from "../../registry/describe.ts";
import { toTool } from "./tool.ts";

const ANY: ClosedOperation = {
  name: "demo",
  description: "Does it.",
  group: "default",
  revision: 3,
  isAsync: false,
  batch: false,
  annotations: null,
  path: null,
  examples: [],
  input: "true",
  output: "true",
};
const text = JSON.stringify;
const POINT = { type: "object", properties: { x: { $ref: "#/$defs/n" } }, $defs: { n: { type: "number" } } };

describe("toTool()", () => {
  test("is the row in MCP's words", () => {
    expect(toTool({ ...ANY, input: text(POINT), output: text(POINT) })).toEqual({
      name: "demo",
      description: "Does it.",
      inputSchema: POINT,
      outputSchema: POINT,
      _meta: { "switchyard.dev/group": "default" },
    });
  });

  test("wraps what is no object, and says so of the input", () => {
    const tool = toTool({ ...ANY, input: text({ type: "string" }), output: text({ type: "number" }) });
    expect(tool.description).toBe('Does it.\n\nIts input goes under "input".');
    expect(tool.inputSchema).toMatchObject({ properties: { input: { type: "string" } }, required: ["input"] });
    expect(tool.outputSchema).toMatchObject({ properties: { output: { type: "number" } }, required: ["output"] });
  });

  test("takes any object where nothing is known of the input", () => {
    expect(toTool(ANY)).toMatchObject({ description: "Does it.", inputSchema: { type: "object" } });
  });

  test("shows the row's examples as the agent would write them", () => {
    const examples = [{ summary: "a point", input: { x: 1 }, output: { x: 2 } }];
    expect(toTool({ ...ANY, input: text(POINT), examples }).inputSchema).toMatchObject({ examples: [{ x: 1 }] });
    const wrapped = toTool({ ...ANY, input: '{"type":"number"}', examples: [{ input: 3 }] });
    expect(wrapped.inputSchema).toMatchObject({ examples: [{ input: 3 }] });
  });

  test("of a batch takes a list, answers a list, and every reference still leads somewhere", () => {
    const tool = toTool({
      ...ANY,
      batch: true,
      input: text(POINT),
      output: text({ type: "array", items: { $ref: "#" } }),
    });
    expect(tool.inputSchema).toMatchObject({
      $defs: POINT.$defs,
      properties: { input: { type: "array", items: { properties: { x: { $ref: "#/$defs/n" } } } } },
    });
    const at = "#/properties/output/items/properties/output";
    expect(tool.outputSchema).toMatchObject({
      properties: { output: { items: { properties: { output: { items: { $ref: at } } } } } },
    });
  });

  test("promises nothing of an output of which nothing is known, nor of one that clients choke on", () => {
    expect(toTool(ANY).outputSchema).toBeUndefined();
    expect(toTool({ ...ANY, output: "{}" }).outputSchema).toBeUndefined();
    expect(toTool({ ...ANY, output: text({ $id: "urn:a", type: "object" }) }).outputSchema).toBeUndefined();
    expect(toTool({ ...ANY, description: "" }).description).toBe("demo");
  });

  test("has the hints that the row gives, and no others", () => {
    const none = { title: null, read_only: null, destructive: null, idempotent: null, open_world: null };
    expect(toTool({ ...ANY, annotations: none })).not.toHaveProperty("annotations");
    expect(
      toTool({ ...ANY, annotations: { ...none, title: "Demo", destructive: false, open_world: true } }),
    ).toMatchObject({
      title: "Demo",
      annotations: { title: "Demo", destructiveHint: false, openWorldHint: true },
    });
    expect(toTool({ ...ANY, annotations: { ...none, read_only: true } }).annotations).toEqual({ readOnlyHint: true });
  });
});

import { expect, test } from "vitest";
import type { ClosedOperation } from "../../registry/describe.ts";
import { Tools } from "./tools.ts";

const operation = (name: string, description = ""): ClosedOperation => ({
  name,
  description,
  group: "default",
  revision: 1,
  isAsync: false,
  batch: false,
  annotations: null,
  path: null,
  examples: [],
  input: "true",
  output: "true",
});
const digestOf = ({ name, description }: ClosedOperation): string => `${name} ${description}`;
const ALL = { groups: undefined, functions: [], builtins: false };

function setUp(operations: ClosedOperation[]) {
  const described: string[][] = [];
  const registry = { revision: 1, selected: 0 };
  const tools = new Tools({
    known: async () => registry.revision,
    selectOperations: async ({ cursor = "", limit }) => {
      registry.selected++;
      return operations
        .filter(({ name }) => name > cursor)
        .slice(0, limit)
        .map((one) => ({ name: one.name, digest: digestOf(one) }));
    },
    describeOperations: async (wanted) => {
      const names = "names" in wanted ? wanted.names : [];
      described.push([...names]);
      return operations
        .filter(({ name }) => names.includes(name))
        .map((one) => ({ digest: digestOf(one), operation: one }));
    },
  });
  return { tools, described, operations, registry };
}
const numbered = (count: number) =>
  Array.from({ length: count }, (_, at) => operation(`op_${String(at).padStart(4, "0")}`));

test("a page has 500 tools; all pages have each tool once, in order", async () => {
  const { tools } = setUp(numbered(1_001));
  const seen: string[] = [];
  let cursor: string | undefined;
  const sizes: number[] = [];
  do {
    const page = await tools.page(ALL, cursor);
    sizes.push(page.tools.length);
    seen.push(...page.tools.map(({ name }) => name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(sizes).toEqual([500, 500, 1]);
  expect(seen).toEqual(numbered(1_001).map(({ name }) => name));
});

test("a page that is full by its size goes on with the tool that no longer fitted", async () => {
  const long = "x".repeat(600 * 1024);
  const { tools } = setUp([operation("a", long), operation("b", long), operation("c")]);
  const first = await tools.page(ALL, undefined);
  expect([first.tools.map(({ name }) => name), first.nextCursor]).toEqual([["a"], "a"]);
  const second = await tools.page(ALL, first.nextCursor);
  expect([second.tools.map(({ name }) => name), second.nextCursor]).toEqual([["b", "c"], undefined]);
});

test("only what is new is read again", async () => {
  const { tools, described, operations, registry } = setUp(numbered(3));
  await tools.page(ALL, undefined);
  await tools.page(ALL, undefined);
  expect(registry.selected).toBe(1);
  operations[1] = operation("op_0001", "edited");
  registry.revision++;
  const { tools: page } = await tools.page(ALL, undefined);
  expect(described).toEqual([["op_0000", "op_0001", "op_0002"], ["op_0001"]]);
  expect(page[1]?.description).toBe("edited");
});

test("one that went away between two reads is left out", async () => {
  const { tools, operations } = setUp(numbered(2));
  const listing = tools.page(ALL, undefined);
  operations.splice(0, 1);
  expect((await listing).tools.map(({ name }) => name)).toEqual(["op_0001"]);
});

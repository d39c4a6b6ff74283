import path from "node:path";
import { expect, test, vi } from "vitest";
import { bundleHost, HOST_DOORS, withPython } from "./host.ts";
import { packageFolder } from "./workers.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const root = packageFolder();

test.each(HOST_DOORS)("bundleHost() makes the door %s one file that imports Node alone", async (door) => {
  const script = await bundleHost(root, door);
  const imports = [...script.matchAll(/^import (?:[^;"]*? from )?"([^"]+)";$/gm)].map((match) => match[1]);
  // Column 0: modules of the child are carried as text.
  expect(imports.length).toBeGreaterThan(0);
  for (const specifier of imports) expect(specifier).toMatch(/^node:|^\.\/switchyard-/);
  expect(script).not.toContain(root);
  expect(script).not.toContain('sourceOf("');
});

test("withPython() puts the text of a .py in the place of its reading", () => {
  const inlined = withPython('run(sourceOf("switchyard_values.py"), 1);', path.join(root, "src/host/child"));
  expect(inlined).toMatch(/^run\(".*class ValueNotFit.*", 1\);$/);
});

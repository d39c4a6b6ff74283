import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { AdapterPorts } from "./adapter.ts";
import { createAdapters, offeredAdapters, type AdaptersOptions } from "./index.ts";

// Nothing is called: descriptions need no ports.
const adapters = createAdapters({ ports: {} as AdapterPorts, plugins: [] } as unknown as AdaptersOptions);
const page = readFileSync(new URL("../../docs/adapters/README.md", import.meta.url), "utf8");

const words = (text: string): string[] => [...text.matchAll(/`([a-z]+)`/g)].map(([, word = ""]) => word);

/** Of a part of the page: what its table says in the second column, by the first. */
function rowsOf(part: string): Record<string, string[]> {
  const rows = [...part.matchAll(/^\| `([a-z-]+)` +\|([^|]*)\|/gm)];
  return Object.fromEntries(rows.map(([, name = "", runs = ""]) => [name, words(runs).toSorted()]));
}

const [operations = "", services = ""] = page.split(/^## Services$/m);

it("docs/adapters/README.md says of each adapter what it runs, and of no other", () => {
  const offered = offeredAdapters(adapters).map(({ name, runs }) => [name, runs.toSorted()]);
  expect(rowsOf(operations)).toEqual(Object.fromEntries(offered));
});

it("docs/adapters/README.md says of each adapter which services it runs, and of no other", () => {
  const running = [...adapters.values()].flatMap((adapter) =>
    adapter.services === undefined ? [] : [[adapter.name, adapter.services.runs.toSorted()]],
  );
  expect(rowsOf(services)).toEqual(Object.fromEntries(running));
});

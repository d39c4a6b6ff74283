import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { AdapterPorts } from "./adapter.ts";
import { createAdapters, offeredAdapters, type AdaptersOptions } from "./index.ts";

it("docs/adapters/README.md says of each adapter what it runs, and of no other", () => {
  const page = readFileSync(new URL("../../docs/adapters/README.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` +\|([^|]*)\|/gm)].map(([, name, runs = ""]) => [
    name,
    runs.match(/[a-z]+/g),
  ]);
  // Nothing is called: descriptions need no ports.
  const adapters = createAdapters({ ports: {} as AdapterPorts, plugins: [] } as unknown as AdaptersOptions);
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(offeredAdapters(adapters).map(({ name, runs }) => [name, runs])),
  );
});

import { expect, test, vi } from "vitest";
import { buildWorkers } from "./workers.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

test("buildWorkers() bundles both scripts whole: only the runtime's own modules stay imports", async () => {
  const { worker, executor } = await buildWorkers();
  for (const script of [worker, executor]) {
    // Column 0: the executor carries a second module as text.
    const imports = [...script.matchAll(/^import (?:[^;"]*? from )?"([^"]+)";$/gm)].map((match) => match[1]);
    expect(imports.length).toBeGreaterThan(0);
    for (const specifier of imports) expect(specifier).toMatch(/^cloudflare:|^node:async_hooks$|^\.\/switchyard-/);
    expect(script).not.toContain(process.cwd());
  }
  expect(worker).toContain("ExecutionShard");
});

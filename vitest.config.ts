import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        // Pure code, and what needs Node itself. Beside the code it tests.
        test: { name: "unit", include: ["src/**/*.test.ts", "cli/**/*.test.ts", "scripts/**/*.test.ts"] },
      },
      {
        // On the real runtime.
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: { name: "workerd", include: ["test/workerd/**/*.test.ts"] },
      },
      {
        // The real `opctl dev` as a child process, over HTTP and the command line.
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

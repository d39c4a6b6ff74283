/** The worker as Cloudflare would take it, without sending it anywhere. */
import { expect, it } from "vitest";
import { ROOT, run, temporaryFolder } from "./_platform.ts";

it("wrangler deploy --dry-run passes", async () => {
  const ran = await run("node_modules/.bin/wrangler", ["deploy", "--dry-run", "--outdir", temporaryFolder()], {
    cwd: ROOT,
    env: { WRANGLER_SEND_METRICS: "false", CI: "true" },
  });
  expect(ran, ran.stderr + ran.stdout).toMatchObject({ code: 0 });
  expect(ran.stdout).toContain("EXECUTIONS");
  expect(ran.stdout).toContain("LOADER");
});

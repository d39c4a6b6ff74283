/**
 * The two scripts that run in workerd, as text: the platform's worker and the executor's. A package carries them built;
 * in the repository they are bundled from the sources, so that what runs is always what is written.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundlePlugins, leavePlugins } from "./plugins.ts";

/** `adapters` is the module of plugins that the worker imports (plugins.ts). */
export type Workers = { worker: string; executor: string; adapters: string };

const SCRIPTS = {
  worker: { source: "src/worker.ts", built: "dist/worker.js" },
  executor: { source: "src/executor-process.ts", built: "dist/executor-process.js" },
} as const;

export async function buildWorkers(): Promise<Workers> {
  const root = packageFolder();
  const [worker, executor, adapters] = await Promise.all([
    script(root, "worker"),
    script(root, "executor"),
    bundlePlugins(root, process.cwd()),
  ]);
  return { worker, executor, adapters };
}

async function script(root: string, name: keyof typeof SCRIPTS): Promise<string> {
  const { source, built } = SCRIPTS[name];
  // The package has no src/: there what was built is all there is.
  if (!existsSync(path.join(root, source))) return readFileSync(path.join(root, built), "utf8");
  return bundleWorker(root, name);
}

/** Bundles one of them from the sources. Imports of `cloudflare:*` stay: the runtime provides them. */
export async function bundleWorker(root: string, name: keyof typeof SCRIPTS): Promise<string> {
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
  const result = await build({
    entryPoints: [path.join(root, SCRIPTS[name].source)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    target: "es2024",
    external: ["cloudflare:*"],
    plugins: [leavePlugins],
    // Its entry for browsers reads no files; esbuild does not see it behind `exports`. wrangler.toml says the same.
    alias: {
      "@hyperjump/browser/jref": path.join(root, "node_modules/@hyperjump/browser/lib/jref/index.js"),
      "@hyperjump/browser": path.join(root, "node_modules/@hyperjump/browser/lib/index.browser.js"),
    },
    define: { SWITCHYARD_VERSION: JSON.stringify(version), "process.env.NODE_ENV": '"production"' },
    legalComments: "none",
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}

/** The folder of Switchyard's own package.json, from the sources as from dist/. */
export function packageFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, "package.json"))) folder = path.dirname(folder);
  return folder;
}

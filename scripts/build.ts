/**
 * Builds what the npm package carries, because Node runs no TypeScript inside node_modules: dist/opctl.js and the
 * registry's process for Node, the host's doors as single files, the two scripts for workerd, and what python3 runs. `npm run build`; `npm pack` runs it first.
 *
 * Packages stay imports in the Node half and are bundled into the workerd half. So what the Node half imports must be in
 * `dependencies`, and nothing else need be: the build fails where that does not hold.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import path from "node:path";
import { build, type Metafile } from "esbuild";
import { bundleHost, HOST_DOORS, inlinePython } from "../cli/build/host.ts";
import { bundleWorker, packageFolder } from "../cli/build/workers.ts";

type Manifest = { engines: { node: string }; dependencies: Record<string, string> };

const root = packageFolder();
const dist = path.join(root, "dist");
const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as Manifest;

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const { metafile } = await build({
  entryPoints: {
    opctl: path.join(root, "cli/main.ts"),
    "registry-process": path.join(root, "src/registry/process.node.ts"),
    // For packages that bring an adapter; it runs in the worker and imports nothing of Node.
    adapter: path.join(root, "src/adapters/plugin.ts"),
  },
  absWorkingDir: root,
  outdir: dist,
  // A command's file is loaded when its word is used; in one piece, every call would pay for all of them.
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  metafile: true,
  packages: "external",
  plugins: [inlinePython],
  platform: "node",
  format: "esm",
  target: `node${/[0-9]+/.exec(manifest.engines.node)?.[0] ?? "24"}`,
  legalComments: "none",
  logLevel: "warning",
});
writeFileSync(path.join(dist, "worker.js"), await bundleWorker(root, "worker"));
writeFileSync(path.join(dist, "executor-process.js"), await bundleWorker(root, "executor"));
mkdirSync(path.join(dist, "host"));
for (const door of HOST_DOORS) writeFileSync(path.join(dist, `host/${door}.js`), await bundleHost(root, door));
mkdirSync(path.join(dist, "python"));
for (const file of ["cli/build/python/read_types.py", "src/host/child/switchyard_values.py"]) {
  copyFileSync(path.join(root, file), path.join(dist, "python", path.basename(file)));
}
execFileSync(path.join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.types.json"], { cwd: root, stdio: "inherit" });

const missing = importedPackages(metafile).filter((name) => manifest.dependencies[name] === undefined);
if (missing.length > 0) {
  console.error(`Cannot build the package: what dist/ imports must be in dependencies; ${missing.join(", ")} is not.`);
  process.exitCode = 1;
}

function importedPackages({ outputs }: Metafile): string[] {
  const specifiers = Object.values(outputs).flatMap((output) =>
    output.imports.filter(({ external }) => external === true).map((entry) => entry.path),
  );
  const names = specifiers
    .filter((name) => !isBuiltin(name))
    .map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
  return [...new Set(names)];
}

/**
 * The host's doors, each as one file that needs no package: what an image, a Lambda function or a job runs. A package
 * carries them built; in the repository they are bundled from the sources.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { build, type Plugin } from "esbuild";

export const HOST_DOORS = ["http", "job", "lambda"] as const;
export type HostDoor = (typeof HOST_DOORS)[number];

const SOURCES: Readonly<Record<HostDoor, string>> = {
  http: "src/host/entries/http.node.ts",
  job: "src/host/entries/job.node.ts",
  lambda: "src/host/lambda-door.node.ts",
};

/** An ES module: on Lambda it is to be called index.mjs, elsewhere .mjs or .js beside a package.json of type module. */
export async function bundleHost(root: string, door: HostDoor): Promise<string> {
  const source = path.join(root, SOURCES[door]);
  // The package has no src/: there what was built is all there is.
  if (!existsSync(source)) return readFileSync(path.join(root, `dist/host/${door}.js`), "utf8");
  const result = await build({
    entryPoints: [source],
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    // Of the oldest that Lambda and Azure offer beside ours.
    target: "node22",
    plugins: [inlinePython],
    legalComments: "none",
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}

/** In one file there is no .py beside it: where the host reads one by `sourceOf("name.py")`, its text takes the place. */
export const inlinePython: Plugin = {
  name: "inline-python",
  setup(bundler) {
    bundler.onLoad({ filter: /[\\/]src[\\/]host[\\/]child[\\/].*\.node\.ts$/ }, ({ path: file }) => ({
      contents: withPython(readFileSync(file, "utf8"), path.dirname(file)),
      loader: "ts",
    }));
  },
};

export function withPython(source: string, folder: string): string {
  return source.replace(/\bsourceOf\("([^"]+\.py)"\)/g, (_, name: string) =>
    JSON.stringify(readFileSync(path.join(folder, name), "utf8")),
  );
}

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

/** `readFileSync(new URL("./child.py", import.meta.url), "utf8")` → the text: in a bundle there is no such file. */
export const inlinePython: Plugin = {
  name: "inline-python",
  setup(bundler) {
    bundler.onLoad({ filter: /[\\/]src[\\/]host[\\/].*\.node\.ts$/ }, ({ path: file }) => {
      const contents = readFileSync(file, "utf8").replace(
        /readFileSync\(\s*new URL\("([^"]+\.py)", import\.meta\.url\),\s*"utf-?8",?\s*\)/g,
        (_, name: string) => JSON.stringify(readFileSync(path.join(path.dirname(file), name), "utf8")),
      );
      return { contents, loader: "ts" };
    });
  },
};

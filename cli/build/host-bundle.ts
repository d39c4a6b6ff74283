/**
 * The host with one of its doors as one script for Node: what is installed in other places. A package carries it built; in
 * the repository it is bundled from the sources.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { SwitchyardError } from "../../src/core/errors.ts";
import { packageFolder } from "./workers.ts";

export type HostDoor = "lambda";

export async function buildHost(door: HostDoor): Promise<string> {
  const root = packageFolder();
  if (existsSync(path.join(root, "src/host"))) return bundleHost(root, door);
  return readFileSync(path.join(root, builtHost(door)), "utf8");
}

/** Where the package has it. */
export function builtHost(door: HostDoor): string {
  return `dist/host-${door}.mjs`;
}

/** Bundles it from the sources: an ES module with nothing left to import but Node's own. */
export async function bundleHost(root: string, door: HostDoor): Promise<string> {
  const source = path.join(root, `src/host/${door}-door.node.ts`);
  if (!existsSync(source)) {
    throw new SwitchyardError("not_supported", `Cannot build the host for ${door}: its door must be there; it is not`);
  }
  return bundleForNode(root, source);
}

export async function bundleForNode(root: string, source: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
  const result = await build({
    entryPoints: [source],
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    define: { SWITCHYARD_VERSION: JSON.stringify(version) },
    legalComments: "none",
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}

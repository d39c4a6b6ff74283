/**
 * Adapters of other packages, bundled into a module of their own beside the worker's script: what the file
 * `switchyard.adapters.js` of the folder names in which the platform is started.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { build, type Plugin } from "esbuild";
import { SwitchyardError } from "../../src/core/errors.ts";

const FILE = "switchyard.adapters.js";
/** What the worker's script calls it once both are bundled. */
export const PLUGINS_MODULE = "switchyard-adapters.js";

/** Leaves the import of the file in the worker's script, under the name that the module will have there. */
export const leavePlugins: Plugin = {
  name: "leave-plugins",
  setup(bundler) {
    bundler.onResolve({ filter: /(?:^|\/)switchyard\.adapters\.js$/ }, () => ({
      path: `./${PLUGINS_MODULE}`,
      external: true,
    }));
  },
};

/** The module as text. `root` is the folder of Switchyard itself, whose own helpers plugins use. */
export async function bundlePlugins(root: string, folder: string): Promise<string> {
  const file = path.resolve(folder, FILE);
  if (!existsSync(file)) return "export default [];\n";
  const source = path.join(root, "src/adapters/plugin.ts");
  try {
    const result = await build({
      entryPoints: [file],
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
      conditions: ["workerd", "worker", "browser"],
      target: "es2024",
      external: ["cloudflare:*"],
      // In the repository nothing is built yet.
      ...(existsSync(source) ? { alias: { "switchyard/adapter": source } } : {}),
      legalComments: "none",
      logLevel: "silent",
    });
    return result.outputFiles[0]?.text ?? "";
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n").slice(0, 3).join(" ") : String(cause);
    throw new SwitchyardError("bundle_failed", `Cannot bundle the adapters that ${FILE} names: ${reason}`, {
      hint: "npm install what it imports; a plugin may use Web APIs and cloudflare:sockets",
      cause,
    });
  }
}

/**
 * A source file and everything it imports → one ESM file that needs Web APIs only.
 *
 * The same sources give the same bytes on every machine: names of files in the output are relative to the project's folder
 * (the nearest package.json), and there is no source map. An import of a Node built-in is refused only when
 * code that uses it survives tree shaking, because many packages carry a Node half that nothing reaches.
 */
import { existsSync, realpathSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { build, type BuildFailure, type Metafile, type Plugin } from "esbuild";
import { SwitchyardError } from "../../src/core/errors.ts";
import { sha256 } from "../../src/core/hash.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { importChain } from "./_import-chain.ts";

export type Bundle = {
  code: string;
  sha256: string;
  sizeBytes: number;
  /** Names that the file exports. */
  exports: string[];
  /** Absolute paths of every file that went in, sorted. */
  inputs: string[];
};

export async function bundle(file: string): Promise<Bundle> {
  const named = path.resolve(file);
  if (!existsSync(named)) {
    throw new SwitchyardError("bundle_failed", `Cannot bundle "${file}": there must be such a file; it is missing`, {
      hint: "Give the path of a .ts or .js file, relative to the current folder.",
    });
  }
  // esbuild follows symbolic links, so the names it answers fit only those that have none (/tmp is one on macOS).
  const entry = realpathSync(named);
  const root = projectRoot(path.dirname(entry));
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    outfile: path.join(root, "module.js"),
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    conditions: ["workerd", "worker", "browser", "module"],
    mainFields: ["browser", "module", "main"],
    target: "es2024",
    charset: "utf8",
    legalComments: "none",
    treeShaking: true,
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "silent",
    plugins: [markHostModules],
  }).catch((failure: BuildFailure) => {
    throw bundleFailure(file, root, failure);
  });
  const output = outputFiles[0];
  const described = metafile.outputs["module.js"];
  if (output === undefined || described === undefined) throw new Error("esbuild answered without an output file");
  refuseHostModules(file, metafile);
  const code = output.text;
  const sizeBytes = Buffer.byteLength(code);
  if (sizeBytes > LIMITS.moduleBytes) {
    throw new SwitchyardError(
      "bundle_failed",
      `Cannot bundle "${file}": a module has at most ${LIMITS.moduleBytes} bytes; it is ${sizeBytes} bytes. ${largestInputs(described)}`,
      { hint: "Import less of the largest dependency, or move data into an artifact or a database." },
    );
  }
  return {
    code,
    sha256: await sha256(code),
    sizeBytes,
    exports: described.exports,
    inputs: Object.keys(metafile.inputs)
      .map((input) => path.resolve(root, input))
      .toSorted((a, b) => (a < b ? -1 : 1)),
  };
}

const HOST_SCHEME = /^(?:node|bun|deno|cloudflare|workerd):/;
const BUILTINS = new Set(builtinModules.flatMap((name) => [name, name.split("/")[0] ?? name]));

function isHostModule(specifier: string): boolean {
  return HOST_SCHEME.test(specifier) || BUILTINS.has(specifier);
}

/** External and free of side effects, so that an unused import of a host's module disappears. */
const markHostModules: Plugin = {
  name: "mark-host-modules",
  setup(pluginBuild) {
    pluginBuild.onResolve({ filter: /^[a-z@]/ }, async (args) => {
      if (args.pluginData === "resolving" || args.kind === "entry-point") return undefined;
      if (HOST_SCHEME.test(args.path)) return { path: args.path, external: true, sideEffects: false };
      if (!BUILTINS.has(args.path)) return undefined;
      // A package of the same name (`buffer`, `events`), or a package's browser field, comes first.
      const found = await pluginBuild.resolve(args.path, {
        importer: args.importer,
        resolveDir: args.resolveDir,
        kind: args.kind,
        pluginData: "resolving",
      });
      return found.errors.length === 0 ? found : { path: args.path, external: true, sideEffects: false };
    });
  },
};

function refuseHostModules(file: string, metafile: Metafile): void {
  const used = metafile.outputs["module.js"]?.imports.find((entry) => isHostModule(entry.path))?.path;
  if (used === undefined) return;
  const chain = importChain(metafile, used);
  throw new SwitchyardError(
    "bundle_failed",
    `Cannot bundle "${file}": a module uses Web APIs only, so that it runs anywhere; it is importing "${used}": ${chain.join(" → ")}`,
    {
      hint:
        chain.length > 2
          ? `Replace the package or file that imports it (${chain.at(-2)}), or import a part of it that does without.`
          : "Use the Web API instead: fetch, crypto.subtle, TextEncoder, URL, ReadableStream, ctx.secrets for settings.",
    },
  );
}

function bundleFailure(file: string, root: string, failure: BuildFailure): SwitchyardError {
  const first = failure.errors?.[0];
  if (first === undefined) {
    return new SwitchyardError("bundle_failed", `Cannot bundle "${file}": ${String(failure)}`, { cause: failure });
  }
  const place =
    first.location === null
      ? file
      : `${path.relative(process.cwd(), path.resolve(root, first.location.file))}:${first.location.line}:${first.location.column + 1}`;
  const more = failure.errors.length > 1 ? ` (and ${failure.errors.length - 1} more)` : "";
  const source = first.location?.lineText.trim() ?? "";
  const unresolved = /^Could not resolve "([^"]+)"/.exec(first.text)?.[1];
  return new SwitchyardError(
    "bundle_failed",
    `Cannot bundle "${file}": ${lowerFirst(first.text)}${more}; it is at ${place}${source === "" ? "" : `: ${source}`}`,
    {
      cause: failure,
      hint:
        unresolved === undefined
          ? "Mend the source and deploy again."
          : /^[./]/.test(unresolved)
            ? "Check the path: it is relative to the importing file."
            : `Install it where the file can see it: npm install ${unresolved}`,
    },
  );
}

function projectRoot(folder: string): string {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, "package.json"))) return at;
    if (path.dirname(at) === at) return folder;
  }
}

function largestInputs(output: Metafile["outputs"][string]): string {
  const largest = Object.entries(output.inputs)
    .toSorted(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput)
    .slice(0, 3)
    .map(([name, { bytesInOutput }]) => `${name} (${bytesInOutput})`);
  return `The largest parts: ${largest.join(", ")}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

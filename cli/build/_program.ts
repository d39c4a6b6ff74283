/**
 * A type-checked view of a file as it would be with other contents. Nothing is written to disk: the copies with appended
 * aliases live in memory. Files of TypeScript's own library are parsed once a process.
 */
import path from "node:path";
import { typescript, type TypeScript } from "./_typescript.ts";

export type ProgramOptions = {
  /** Absolute path → text, in place of what is on disk. */
  overlays?: ReadonlyMap<string, string>;
  previous?: TypeScript.Program;
};

/** Declarations of TypeScript itself and of packages: they do not change while a file is being worked on. */
const library = new Map<string, TypeScript.SourceFile | undefined>();

export function createProgram(
  files: readonly string[],
  { overlays = new Map(), previous }: ProgramOptions = {},
): TypeScript.Program {
  const ts = typescript();
  const options = compilerOptions(files[0] ?? ".");
  const host = ts.createCompilerHost(options);
  const libraryFolder = path.dirname(ts.getDefaultLibFilePath(options));
  const readFromDisk = host.getSourceFile.bind(host);
  host.getSourceFile = (fileName, languageVersion) => {
    const overlay = overlays.get(path.resolve(fileName));
    if (overlay !== undefined) return ts.createSourceFile(fileName, overlay, languageVersion, true);
    if (path.dirname(fileName) === libraryFolder || /\/node_modules\/.*\.d\.[cm]?ts$/.test(fileName)) {
      if (!library.has(fileName)) library.set(fileName, readFromDisk(fileName, languageVersion));
      return library.get(fileName);
    }
    const known = previous?.getSourceFile(fileName);
    if (known !== undefined || /\.d\.[cm]?ts$/.test(fileName)) return known ?? readFromDisk(fileName, languageVersion);
    const text = ts.sys.readFile(fileName);
    return text === undefined ? undefined : ts.createSourceFile(fileName, withoutHeader(text), languageVersion, true);
  };
  const onDisk = host.fileExists.bind(host);
  host.fileExists = (fileName) => overlays.has(path.resolve(fileName)) || onDisk(fileName);
  return ts.createProgram([...files], options, host);
}

/**
 * A comment about the file is not the description of whatever happens to be declared first: a leading doc comment that
 * is followed by an empty line, an import or another doc comment becomes an ordinary comment of the same length.
 */
function withoutHeader(text: string): string {
  return text.replace(
    /^((?:#!.*\n)?\s*)\/\*\*(?=(?:[^*]|\*(?!\/))*\*\/[ \t]*\r?\n\s*(?:\n|\r\n|import\b|\/\*\*))/,
    "$1/* ",
  );
}

/** Ours, but for what decides where an import leads: that comes from the nearest tsconfig.json, as the bundler reads it. */
function compilerOptions(file: string): TypeScript.CompilerOptions {
  const ts = typescript();
  const own: TypeScript.CompilerOptions = {
    strict: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2024.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    customConditions: ["workerd", "worker", "browser"],
    allowImportingTsExtensions: true,
    allowJs: true,
    resolveJsonModule: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const configFile = ts.findConfigFile(path.dirname(file), (name) => ts.sys.fileExists(name));
  if (configFile === undefined) return own;
  const { config } = ts.readConfigFile(configFile, (name) => ts.sys.readFile(name)) as {
    config?: { compilerOptions?: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config?.compilerOptions ?? {}, path.dirname(configFile));
  const { paths, baseUrl } = options;
  return {
    ...own,
    ...(paths === undefined ? {} : { paths, pathsBasePath: path.dirname(configFile) }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  };
}

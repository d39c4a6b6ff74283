/** A throw-away project folder for tests: the files given, and this repository's packages within reach. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { packageFolder } from "./workers.ts";

export type TestFolder = {
  path: string;
  file(name: string): string;
  write(files: Record<string, string>): void;
  [Symbol.dispose](): void;
};

export function testFolder(files: Record<string, string>): TestFolder {
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), "opctl-test-")));
  const write = (entries: Record<string, string>): void => {
    for (const [name, text] of Object.entries(entries)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
  };
  write({ "package.json": '{"name":"test","type":"module"}', ...files });
  const modules = path.join(packageFolder(), "node_modules");
  mkdirSync(path.join(folder, "node_modules"), { recursive: true });
  for (const name of ["valibot", "zod", "arktype", "@ark", "arkregex"]) {
    symlinkSync(path.join(modules, name), path.join(folder, "node_modules", name));
  }
  return {
    path: folder,
    file: (name) => path.join(folder, name),
    write,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The commands of a host's child processes, and which of them code can be given to after they were started. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { SwitchyardError } from "../core/errors.ts";
import type { IsolateDefinition } from "../model/invocation.ts";
import { javascriptChild } from "./child/javascript.node.ts";
import { pythonCommand } from "./child/python.node.ts";

/** Deno lets code import files that its first module graph names; no address of a file leads anywhere here. */
const IMPORT_MAP = `data:application/json,${encodeURIComponent(
  JSON.stringify({
    imports: { "file:///": "https://denied.invalid/", "node:worker_threads": "https://denied.invalid/worker_threads" },
  }),
)}`;

/** What of a definition decides its process: those of one sort differ only in what is sent to them. */
export function sortOf(runtime: "deno" | "node", { language, network }: IsolateDefinition): string {
  if (language === "python") return "python";
  return runtime === "deno" && network.length > 0 ? `deno ${network.join(",")}` : runtime;
}

/** Throws environment_misconfigured where this machine lacks what runs it. Python and Node do not confine the code. */
export function commandOf(runtime: "deno" | "node", { language, network }: IsolateDefinition): string[] {
  if (language === "python") return pythonCommand();
  const child = javascriptChild();
  if (runtime === "node") return [process.execPath, "--input-type=module", "--eval", `import ${JSON.stringify(child)}`];
  const hosts = network.flatMap((host) => (host.includes(":") ? [host] : [`${host}:443`, `${host}:80`]));
  return [
    denoBinary(),
    "run",
    "--no-prompt",
    "--no-remote",
    "--no-npm",
    "--no-config",
    "--no-lock",
    `--import-map=${IMPORT_MAP}`,
    ...(hosts.length === 0 ? [] : [`--allow-net=${hosts.join(",")}`]),
    child,
  ];
}

export function denoBinary(): string {
  const name = process.platform === "win32" ? "deno.exe" : "deno";
  try {
    const require = createRequire(import.meta.url);
    const folder = path.dirname(require.resolve("deno/package.json"));
    const libc = process.platform === "linux" ? "-glibc" : "";
    const file = path.join(folder, "..", "@deno", `${process.platform}-${process.arch}${libc}`, name);
    if (existsSync(file)) return file;
  } catch {
    // Not installed with us: see PATH.
  }
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    if (folder !== "" && existsSync(path.join(folder, name))) return path.join(folder, name);
  }
  throw new SwitchyardError(
    "environment_misconfigured",
    "Cannot run JavaScript modules: the host needs Deno, from npm or on PATH; it is missing",
    {
      hint: "npm install deno, or put deno on PATH",
    },
  );
}

/** The shortest way from the entry to an imported module, as a list of names: what an error needs to point at the culprit. */
import type { Metafile } from "esbuild";

export function importChain(metafile: Metafile, target: string): string[] {
  const entry = Object.values(metafile.outputs).find((output) => output.entryPoint !== undefined)?.entryPoint;
  if (entry === undefined) return [target];
  const cameFrom = new Map<string, string | undefined>([[entry, undefined]]);
  for (const file of cameFrom.keys()) {
    for (const { path } of metafile.inputs[file]?.imports ?? []) {
      if (!cameFrom.has(path)) cameFrom.set(path, file);
    }
  }
  const chain: string[] = [];
  for (let at: string | undefined = target; at !== undefined; at = cameFrom.get(at)) chain.unshift(at);
  return chain;
}

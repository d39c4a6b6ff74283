/**
 * Registers the examples of this package, the way `opctl deploy` would, calls one and shows the result. On later starts
 * an example whose code is already stored is left alone, with whatever was edited since.
 */
import path from "node:path";
import { buildModule } from "../build/build-module.ts";
import { bundle } from "../build/bundle.ts";
import { storeModule } from "../build/store-module.ts";
import { packageFolder } from "../build/workers.ts";
import { createClient, type Client } from "../client.ts";
import type { Output } from "../output.ts";
import { findEntry } from "../registry.ts";

/** File and export; module and operation are named after them. */
const EXAMPLES = [
  ["echo", "echo"],
  ["shout", "shout"],
  ["word-count", "wordCount"],
] as const;

type Options = { platform: { url: string; token: string }; output: Output };

export async function registerExamples({ platform, output }: Options): Promise<void> {
  const client = createClient(platform);
  for (const [file, name] of EXAMPLES) await register(client, { file, name, output });
  const input = { input_str: "hi" };
  const { text } = await client.request("POST", "/ops/echo", { body: JSON.stringify(input) });
  output.say(`Called echo:  opctl call echo input_str=hi\n  → ${text}`);
}

async function register(client: Client, example: { file: string; name: string; output: Output }): Promise<void> {
  const file = path.join(packageFolder(), "examples", `${example.file}.ts`);
  const module = example.file.replaceAll("-", "_");
  const operation = example.name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const stored = await findEntry(client, "module", module);
  if (stored !== undefined && stored.entry["sha256"] === (await bundle(file)).sha256) return;
  await storeModule(client, await buildModule(file, example.name), { module, operation, group: "examples" });
  example.output.say(`Registered ${operation}  (examples/${example.file}.ts)`);
}

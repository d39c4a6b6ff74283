/**
 * Registers the examples of this package, the way `opctl deploy` would, calls one and shows the result. On later starts
 * an example whose module or operation is there is left alone, whatever was made of it since. None of this ever stops the platform:
 * it is the only place where a row that was edited badly can be mended.
 */
import path from "node:path";
import { toSwitchyardError } from "../../src/core/errors.ts";
import { buildModule } from "../build/build-module.ts";
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
  ["slow-demo", "slowDemo"],
] as const;

type Options = { platform: { url: string; token: string }; output: Output };

export async function registerExamples({ platform, output }: Options): Promise<void> {
  const client = createClient(platform);
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      output.warn(`${what}: ${toSwitchyardError(error).message}`);
    }
  };
  for (const [file, name] of EXAMPLES) {
    await attempt(`The example ${file} is not registered`, () => register(client, { file, name, output }));
  }
  await attempt("The example echo no longer answers", async () => {
    const { text } = await client.request("POST", "/ops/echo", { body: JSON.stringify({ input_str: "hi" }) });
    output.say(`Called echo:  opctl call echo input_str=hi\n  → ${text}`);
  });
}

async function register(client: Client, example: { file: string; name: string; output: Output }): Promise<void> {
  const file = path.join(packageFolder(), "examples", `${example.file}.ts`);
  const module = example.file.replaceAll("-", "_");
  const operation = example.name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if ((await findEntry(client, "module", module)) !== undefined) return;
  if ((await findEntry(client, "operation", operation)) !== undefined) return;
  await storeModule(client, await buildModule(file, example.name), { module, operation, group: "examples" });
  example.output.say(`Registered ${operation}  (examples/${example.file}.ts)`);
}

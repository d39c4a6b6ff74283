/**
 * Exported Standard Schemas (valibot, zod, arktype, or anything with `~standard.jsonSchema`) as JSON Schema 2020-12.
 *
 * Only running the file can tell what they are. So it is bundled for Node together with a small harness and run in a
 * child process of its own, which has a time-out, no arguments and a bare environment. It is the user's own code, run on
 * the user's machine, as `node file.ts` would: this is not a sandbox.
 */
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { CodeType } from "../../src/model/entities.ts";
import { SwitchyardError } from "../../src/core/errors.ts";

const TIMEOUT_MS = 10_000;

/** An export that is a Standard Schema: its JSON Schema for each side, or why there is none. */
export type SchemaReading =
  | { ok: true; input: CodeType["schema"]; output: CodeType["schema"] }
  | { ok: false; reason: string };

/** Those of the named exports that are Standard Schemas. */
export async function standardSchemas(
  file: string,
  names: readonly string[],
  timeoutMs = TIMEOUT_MS,
): Promise<Map<string, SchemaReading>> {
  if (names.length === 0) return new Map();
  const folder = await mkdtemp(path.join(os.tmpdir(), "opctl-schemas-"));
  try {
    const outfile = path.join(folder, "schemas.mjs");
    await build({
      stdin: {
        contents: harness(path.resolve(file), names),
        resolveDir: path.dirname(path.resolve(file)),
        loader: "js",
      },
      alias: { "opctl:valibot": fileURLToPath(import.meta.resolve("@valibot/to-json-schema")) },
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      logLevel: "silent",
    });
    return new Map(Object.entries(await runChild(file, outfile, timeoutMs)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs in the child. valibot's own converter knows more than its Standard Schema door, so it goes first. */
function harness(file: string, names: readonly string[]): string {
  return `
    import * as module from ${JSON.stringify(file)};
    import { toJsonSchema } from "opctl:valibot";
    const target = "draft-2020-12";
    function convert(schema, side) {
      const standard = schema["~standard"];
      if (standard.vendor === "valibot") return toJsonSchema(schema, { target, typeMode: side });
      if (standard.jsonSchema) return standard.jsonSchema[side]({ target });
      throw new Error("its library (" + standard.vendor + ") cannot write it as JSON Schema; a newer version may");
    }
    const answer = {};
    for (const name of ${JSON.stringify(names)}) {
      const schema = module[name];
      if (schema?.["~standard"] === undefined) continue;
      try {
        const { $schema: _, ...input } = convert(schema, "input");
        const { $schema: __, ...output } = convert(schema, "output");
        answer[name] = { ok: true, input, output };
      } catch (error) {
        answer[name] = { ok: false, reason: String(error?.message ?? error) };
      }
    }
    process.send(answer, () => process.exit(0));
  `;
}

function runChild(file: string, script: string, timeoutMs: number): Promise<Record<string, SchemaReading>> {
  return new Promise((resolve, reject) => {
    const child = fork(script, {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      env: { NODE_NO_WARNINGS: "1" },
      execArgv: [],
    });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
    let answer: Record<string, SchemaReading> | undefined;
    child.on("message", (message) => (answer = message as Record<string, SchemaReading>));
    child.on("error", reject);
    child.on("close", (_code, signal) => {
      if (answer !== undefined) return resolve(answer);
      const failed = /^(?:\w*Error\b.*)$/m.exec(stderr)?.[0] ?? stderr.trim().split("\n").at(-1) ?? "";
      const what = signal === null ? `it failed with ${failed}` : `it did not finish loading within ${timeoutMs} ms`;
      reject(
        new SwitchyardError(
          "types_unreadable",
          `Cannot read the schemas of "${file}": the file must load by itself, without effects; ${what}`,
          { hint: "Keep top-level code to declarations, or annotate the handlers instead of exporting schemas." },
        ),
      );
    });
  });
}

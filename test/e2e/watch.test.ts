/** `opctl deploy --watch`: what is saved is live, what does not compile changes nothing. */
import { spawn, type ChildProcess } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT, startDev, temporaryFolder, waitUntil, type Dev } from "./_platform.ts";

const PATIENCE_MS = 30_000;

let dev: Dev;
let folder: string;
let watching: ChildProcess | undefined;
let printed = "";

beforeAll(async () => {
  dev = await startDev();
  folder = temporaryFolder();
});
afterAll(async () => {
  watching?.kill("SIGKILL");
  await dev?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const save = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);
const handler = (body: string): string =>
  `import { word } from "./word.ts";\nexport function speak(input: { n: number }): { said: string } {\n  ${body}\n}\n`;

async function answers(said: string): Promise<void> {
  await waitUntil(
    async () => JSON.stringify((await dev.call("speak", { n: 1 })).body) === JSON.stringify({ said }),
    PATIENCE_MS,
    () => printed,
  );
}

function prints(text: string): Promise<void> {
  const from = printed.length;
  return waitUntil(
    () => printed.includes(text, from),
    PATIENCE_MS,
    () => printed,
  );
}

it(
  "deploys again on each save, of an imported file too, and survives a syntax error in between",
  { timeout: 180_000 },
  async () => {
    save("word.ts", 'export const word: string = "one";\n');
    save("speak.ts", handler("return { said: word };"));
    watching = spawn(process.execPath, [path.join(ROOT, "cli/opctl.js"), "deploy", "speak.ts", "--watch"], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1", SWITCHYARD_URL: dev.url, SWITCHYARD_TOKEN: dev.token },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [watching.stdout, watching.stderr]) {
      stream?.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    }
    await prints("Watching 2 files");
    await answers("one");

    const refused = prints("bundle_failed");
    save("speak.ts", handler("return { said: = };"));
    await refused;
    expect(printed).toContain("speak.ts:3:");
    expect(watching.exitCode).toBeNull();
    await answers("one");

    save("speak.ts", handler("return { said: `${word}!` };"));
    await answers("one!");

    save("word.ts", 'export const word: string = "two";\n');
    await answers("two!");
    const { meta } = (await (await dev.request("/registry/operations/speak")).json()) as { meta: { revision: number } };
    expect(meta.revision).toBe(3);
  },
);

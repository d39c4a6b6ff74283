/** What `npm pack` makes, as a stranger gets it: installed in an empty folder, started there, used there. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, ROOT, run, temporaryFolder, waitUntil, type Ran } from "./_platform.ts";

const manifest = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
  version: string;
  engines: { node: string };
};
const WANTED_NODE = Number(/\d+/.exec(manifest.engines.node)?.[0]);

let folder: string;
let app: string;
let platform: ChildProcess | undefined;

/** In the empty folder, with the Node.js that runs this test, and without this repository's own packages in reach. */
function inApp(command: string, args: readonly string[], node = path.dirname(process.execPath)): Promise<Ran> {
  return run(path.join(app, "node_modules/.bin", command), args, { cwd: app, env: environment(node) });
}

function environment(node: string): Record<string, string> {
  const others = (process.env["PATH"] ?? "").split(path.delimiter).filter((place) => !place.includes("node_modules"));
  return { PATH: [node, ...others].join(path.delimiter), SWITCHYARD_URL: "", SWITCHYARD_TOKEN: "" };
}

async function npm(args: readonly string[], cwd: string): Promise<void> {
  const env = { PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"] ?? ""}` };
  const ran = await run("npm", args, { cwd, env, timeoutMs: 120_000 });
  if (ran.code !== 0) throw new Error(`npm ${args.join(" ")} ended with ${ran.code}\n${ran.stdout}${ran.stderr}`);
}

beforeAll(async () => {
  folder = temporaryFolder();
  app = path.join(folder, "app");
  mkdirSync(app);
  await npm(["pack", "--silent", "--pack-destination", folder], ROOT);
  const tarball = path.join(folder, `switchyard-${manifest.version}.tgz`);
  await npm(["install", "--no-audit", "--no-fund", "--prefer-offline", tarball], app);
}, 240_000);
afterAll(async () => {
  if (platform !== undefined && platform.exitCode === null) {
    const ended = new Promise((resolve) => platform?.once("exit", resolve));
    platform.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

const HANDLER = `
import type { Context } from "switchyard";

interface HelloInput {
  /** @minLength 1 */
  name: string;
}

export function hello(input: HelloInput, ctx: Context): { text: string } {
  return { text: \`Hello, \${input.name}, from \${ctx.execution.operation}!\` };
}
`;

describe("the npm package", () => {
  it("brings opctl", async () => {
    expect(await inApp("opctl", ["--version"])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
  });

  it("runs the platform, and deploys and calls a handler whose types it reads", { timeout: 120_000 }, async () => {
    let printed = "";
    platform = spawn(
      path.join(app, "node_modules/.bin/opctl"),
      ["dev", "--examples", "--port", String(await freePort())],
      {
        cwd: app,
        env: { ...process.env, ...environment(path.dirname(process.execPath)), NO_COLOR: "1" },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    for (const stream of [platform.stdout, platform.stderr]) {
      stream?.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    }
    await waitUntil(
      () => {
        if (platform?.exitCode !== null) throw new Error(`opctl dev ended:\n${printed}`);
        return printed.includes("Ctrl-C stops it.");
      },
      60_000,
      () => printed,
    );
    expect(printed).toContain('→ {"output_str":"hi"}');

    writeFileSync(path.join(app, "hello.ts"), HANDLER);
    const deployed = await inApp("opctl", ["deploy", "hello.ts"]);
    expect(deployed, deployed.stderr).toMatchObject({ code: 0 });
    expect(deployed.stdout).toContain("hello_input → (inline)");
    expect(await inApp("opctl", ["call", "hello", "name=Ada"])).toMatchObject({
      code: 0,
      stdout: '{"text":"Hello, Ada, from hello!"}\n',
    });
    expect(await inApp("opctl", ["call", "hello", "name="])).toMatchObject({ code: 1 });
  });

  it("reads the types of a Python file, and brings the host's doors", { timeout: 60_000 }, async () => {
    copyFileSync(path.join(ROOT, "examples/word_count.py"), path.join(app, "word_count.py"));
    await inApp("opctl", ["create", "environment", "-s", "name=rack-1", "-s", "adapter=runner"]);
    const deployed = await inApp("opctl", ["deploy", "word_count.py#word_count", "--environment", "rack-1"]);
    expect(deployed, deployed.stderr).toMatchObject({ code: 0 });
    const refused = await inApp("opctl", ["host", "http"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("SWITCHYARD_HOST_SECRET must be set") });
    for (const door of ["http", "job", "lambda"]) {
      expect(existsSync(path.join(app, `node_modules/switchyard/dist/host/${door}.js`))).toBe(true);
    }
  });

  it("carries the type Context for editors and tsc", async () => {
    writeFileSync(path.join(app, "types.ts"), HANDLER.replace("ctx.execution.operation", "ctx.execution.nothing"));
    const lean = ["--skipLibCheck", "--lib", "es2022,webworker"];
    const ran = await inApp("tsc", ["--noEmit", "--strict", "--module", "nodenext", ...lean, "types.ts"]);
    expect(ran.stdout).toContain("Property 'nothing' does not exist");
    expect(ran.stdout).not.toContain("TS2307");
  });

  const old = oldNode();
  it.skipIf(old === undefined)(
    old === undefined
      ? `SKIPPED, NOT TESTED: no Node.js older than ${WANTED_NODE} is on PATH, so its refusal was not seen`
      : `says on Node.js ${old.version} what to do`,
    async () => {
      if (old === undefined) return;
      const ran = await inApp("opctl", ["call", "hello", "name=Ada"], path.dirname(old.file));
      expect(ran.code).toBe(2);
      expect(ran.stdout).toBe("");
      expect(ran.stderr).toContain(`Cannot run opctl on Node.js ${old.version}: it needs ${WANTED_NODE} or newer`);
      expect(ran.stderr).toMatch(/next: .*npm/);
    },
  );
});

/** The first Node.js on PATH that is too old. Not those of npm packages: they are what the project brings. */
function oldNode(): { file: string; version: string } | undefined {
  const places = [...(process.env["PATH"] ?? "").split(path.delimiter), "/usr/local/bin", "/usr/bin"];
  for (const file of new Set(places.map((place) => path.join(place, "node")))) {
    if (file.includes("node_modules") || !existsSync(file)) continue;
    const version = execFileSync(file, ["--version"], { encoding: "utf8" }).trim().replace(/^v/, "");
    if (Number(version.split(".")[0]) < WANTED_NODE) return { file, version };
  }
  return undefined;
}

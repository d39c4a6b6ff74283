/** Runs the registry in a process of its own and starts it again when it is lost. */
import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import path from "node:path";
import { isErrorCode, SwitchyardError } from "../../src/core/errors.ts";
import type { RegistryProcessConfig, RegistryProcessMessage } from "../../src/registry/process.node.ts";
import { packageFolder } from "../build/workers.ts";
import type { StateFolder } from "./state-folder.ts";

export type RunningRegistry = { socket: string; secret: string; token: string; close(): Promise<void> };

type Options = { folder: StateFolder; log: (line: string) => void };

const RESTART_AFTER_MS = [0, 100, 500, 2_000, 5_000];

/** Resolves when it listens. Throws what the registry says when it cannot: read-only, locked or corrupt file. */
export async function startRegistry({ folder, log }: Options): Promise<RunningRegistry> {
  const socket = path.join(folder.sockets, "registry.sock");
  const secret = randomBytes(32).toString("hex");
  const config: RegistryProcessConfig = {
    file: folder.registryFile,
    socket,
    secret,
    masterKey: folder.masterKey,
    migrations: packageFile("migrations"),
    adminToken: storedToken(folder.credentialsFile) ?? "create",
  };
  let child: ChildProcess;
  let closing = false;
  let losses = 0;
  let token = "";
  const start = async (): Promise<void> => {
    child = fork(entryPoint(), [], {
      env: { ...process.env, ...compileCache(), SWITCHYARD_REGISTRY: JSON.stringify(config) },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const ready = await firstMessage(child);
    if (ready.type === "failed") throw asError(ready.error);
    if (ready.token !== undefined) token = config.adminToken = ready.token;
    const startedAt = Date.now();
    child.once("exit", (code, signal) => {
      if (closing) return;
      if (Date.now() - startedAt > 30_000) losses = 0;
      const wait = RESTART_AFTER_MS[Math.min(losses++, RESTART_AFTER_MS.length - 1)] ?? 0;
      log(`registry: lost (${signal ?? `exit code ${code}`}), starting again in ${wait} ms`);
      setTimeout(restart, wait);
    });
  };
  const restart = (): void => {
    if (closing) return;
    start().catch((error: unknown) => {
      log(`registry: ${String(error)}`);
      setTimeout(restart, RESTART_AFTER_MS.at(-1));
    });
  };
  await start();
  return {
    socket,
    secret,
    token,
    async close() {
      closing = true;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.signalCode === null && child.kill("SIGTERM")) await ended;
    },
  };
}

/** Where opctl keeps its compiled code, the child does too: it starts twice as fast. */
function compileCache(): Record<string, string> {
  const folder = getCompileCacheDir();
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}

/** Beside the sources in the repository, in dist/ in the package. */
function entryPoint(): string {
  const source = packageFile("src/registry/process.node.ts");
  return existsSync(source) ? source : packageFile("dist/registry-process.js");
}

function packageFile(name: string): string {
  return path.join(packageFolder(), name);
}

function firstMessage(child: ChildProcess): Promise<RegistryProcessMessage> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as RegistryProcessMessage));
    child.once("exit", (code) =>
      reject(
        new SwitchyardError("registry_unavailable", `Cannot start the registry: its process ended with code ${code}`),
      ),
    );
  });
}

function asError(data: { code: string; detail: string; hint?: string }): SwitchyardError {
  return new SwitchyardError(
    isErrorCode(data.code) ? data.code : "internal",
    data.detail,
    data.hint === undefined ? {} : { hint: data.hint },
  );
}

/** The token of an earlier start, so that a restart does not invalidate what people copied. */
function storedToken(file: string): string | undefined {
  try {
    const { token } = JSON.parse(readFileSync(file, "utf8")) as { token?: unknown };
    return typeof token === "string" ? token : undefined;
  } catch {
    return undefined;
  }
}

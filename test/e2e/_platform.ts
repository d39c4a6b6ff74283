/** Drives the real thing: `opctl dev` as a child process on a free port and a fresh state folder, over HTTP and the CLI. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

export const ROOT = path.resolve(import.meta.dirname, "../..");
const OPCTL = path.join(ROOT, "cli/opctl.js");

export type Ran = { code: number | null; stdout: string; stderr: string };

export type Dev = {
  url: string;
  port: number;
  state: string;
  token: string;
  child: ChildProcess;
  /** All that the process printed so far. */
  output: () => string;
  /** `opctl` against this platform, run in the repository's root. */
  opctl(
    args: readonly string[],
    options?: { input?: string; env?: Record<string, string>; cwd?: string },
  ): Promise<Ran>;
  request(path: string, options?: RequestInit & { token?: string | null }): Promise<Response>;
  call(
    name: string,
    input: unknown,
    options?: { token?: string },
  ): Promise<{ status: number; body: unknown; headers: Headers }>;
  /** Ends it in order, and removes the state folder unless `keep`. */
  stop(options?: { keep?: boolean }): Promise<void>;
};

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function temporaryFolder(): string {
  return mkdtempSync(path.join(os.tmpdir(), "sy-"));
}

export function run(
  command: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string>; cwd?: string; timeoutMs?: number } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 60_000);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
    child.stdin.on("error", () => undefined).end(options.input ?? "");
  });
}

export async function startDev(
  options: {
    state?: string;
    port?: number;
    args?: readonly string[];
    cwd?: string;
    /** A program that runs the one named after it: words to be put before `node`. */
    through?: readonly string[];
    env?: Record<string, string>;
  } = {},
): Promise<Dev> {
  const state = options.state ?? temporaryFolder();
  const port = options.port ?? (await freePort());
  const [program, ...words] = [...(options.through ?? []), process.execPath];
  const child = spawn(
    program,
    [...words, OPCTL, "dev", "--port", String(port), "--state", state, ...(options.args ?? [])],
    {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let printed = "";
  const collect = (chunk: Buffer): void => {
    printed += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  await waitUntil(
    () => {
      if (child.exitCode !== null) throw new Error(`opctl dev ended with ${child.exitCode}:\n${printed}`);
      return printed.includes("Ctrl-C stops it.");
    },
    60_000,
    () => printed,
  );
  const { url, token } = JSON.parse(readFileSync(path.join(state, "credentials.json"), "utf8")) as {
    url: string;
    token: string;
  };

  const request: Dev["request"] = (target, { token: other, headers, ...rest } = {}) =>
    fetch(`${url}${target}`, {
      ...rest,
      headers: {
        ...(other === null ? {} : { authorization: `Bearer ${other ?? token}` }),
        ...(rest.body === undefined ? {} : { "content-type": "application/json" }),
        ...(headers as Record<string, string>),
      },
    });
  return {
    url,
    port,
    state,
    token,
    child,
    output: () => printed,
    opctl: (args, { env, ...rest } = {}) =>
      run(process.execPath, [OPCTL, ...args], {
        ...rest,
        env: { SWITCHYARD_URL: url, SWITCHYARD_TOKEN: token, ...env },
      }),
    request,
    async call(name, input, callOptions = {}) {
      const response = await request(`/ops/${name}`, { method: "POST", body: JSON.stringify(input), ...callOptions });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
    },
    async stop({ keep = false } = {}) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        await ended;
      }
      if (!keep) rmSync(state, { recursive: true, force: true });
    },
  };
}

/** The child of `opctl dev` that has this on its command line. Miniflare hands the edge its configuration in binary form, `--binary`. */
export function childOf(dev: Pick<Dev, "child">, word: string): number {
  const children = readFileSync(`/proc/${dev.child.pid}/task/${dev.child.pid}/children`, "utf8").trim().split(" ");
  const pid = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes(word));
  if (pid === undefined) throw new Error(`no process below opctl dev has "${word}" on its command line`);
  return Number(pid);
}

/** Polls until `condition` holds; fails with what `explain` says. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  explain: () => string = () => "",
): Promise<void> {
  const giveUpAt = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${explain()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Stores JavaScript as a module and an operation of the same name, without types, straight over HTTP. */
export async function install(
  dev: Dev,
  name: string,
  code: string,
  operation: Record<string, unknown> = {},
): Promise<void> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code));
  const sha256 = Buffer.from(digest).toString("hex");
  const stored = await dev.request(`/modules/${sha256}`, {
    method: "PUT",
    body: code,
    headers: { "content-type": "text/javascript" },
  });
  if (!stored.ok) throw new Error(await stored.text());
  const any = { schema: true };
  const exports = Object.fromEntries(
    [...code.matchAll(/export (?:async )?(?:function|const) ([A-Za-z0-9_$]+)/g)].map((match) => [
      match[1],
      { input: any, output: any },
    ]),
  );
  const put = async (path: string, body: unknown): Promise<void> => {
    const response = await dev.request(path, { method: "PUT", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  };
  await put(`/registry/modules/${name}`, { sha256, exports });
  await put(`/registry/operations/${name}`, { implemented_at: `${name}:${Object.keys(exports)[0]}`, ...operation });
}

/**
 * Runs a container: stdin, stdout and stderr as of a program, no network. Where a Docker engine answers, the image is
 * one of its images; else, with runc, the image is the path of an OCI bundle (config.json and a root file system).
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { ContainerImplementation } from "../../model/implementations.ts";
import type { InvocationMeta, InvocationResult, LogLine } from "../../model/invocation.ts";
import { runProgram } from "./_program.node.ts";
import { failed, type WorkOptions, type WorkOrder } from "./_work.ts";
import { dockerFailure, dockerVariables, type DockerFailure } from "./docker.node.ts";
import type { EndCommands } from "./end-container.node.ts";
import { locateProgram } from "./locate-program.node.ts";
import { environmentOf, resultOf } from "./process.node.ts";

const run = promisify(execFile);
/** 128 + SIGKILL: what a container killed for want of memory ends with. */
const KILLED = 137;

export type Engine = "docker" | "runc";

let known: Promise<Engine | undefined> | undefined;
let lookAgainAt = 0;
/** Docker may be started after the runner. */
const LOOK_AGAIN_MS = 5_000;

/** Which engine this machine has; undefined: none. Docker, once it has answered, for good. */
export function containerEngine(): Promise<Engine | undefined> {
  if (known === undefined || performance.now() >= lookAgainAt) {
    lookAgainAt = Number.POSITIVE_INFINITY;
    known = findEngine().then((engine) => {
      if (engine !== "docker") lookAgainAt = performance.now() + LOOK_AGAIN_MS;
      return engine;
    });
  }
  return known;
}

async function findEngine(): Promise<Engine | undefined> {
  if (locateProgram("docker") !== undefined) {
    const answers = await run("docker", ["info", "--format", "{{.ServerVersion}}"], { timeout: 5_000 }).then(
      () => true,
      () => false,
    );
    if (answers) return "docker";
  }
  return locateProgram("runc") !== undefined && process.getuid?.() === 0 ? "runc" : undefined;
}

export async function runContainer(
  work: ContainerImplementation,
  { meta, input }: WorkOrder,
  options: WorkOptions,
): Promise<InvocationResult> {
  const engine = await containerEngine();
  const misconfigured = (rule: string) =>
    failed("environment_misconfigured", `Cannot run "${meta.operation}" as the container ${work.image}: ${rule}`);
  if (engine === undefined) return misconfigured("a Docker engine, or runc and root, must be here; neither is");
  const id = `switchyard-${randomUUID()}`;
  const folder = await mkdtemp(path.join(tmpdir(), "switchyard-run-"));
  try {
    const variables = containerVariables(meta);
    const command =
      engine === "docker" ? docker(work, id, variables) : await runcCommands(work, id, { variables, folder });
    if (typeof command === "string") return misconfigured(command);
    const ended = await runProgram({
      what: `the operation "${meta.operation}"`,
      file: engine,
      args: command.args,
      cwd: folder,
      env: { ...environmentOf(meta, folder), ...(engine === "docker" ? dockerVariables() : {}) },
      input,
      timeoutMs: meta.timeout_ms,
      kill: command.kill,
      ...options,
    });
    if (ended.kind === "not_started") return misconfigured(`${engine} must start; ${ended.reason}`);
    if (engine === "docker" && ended.kind === "exit") {
      const failure = dockerFailure(ended.code, [...ended.logs.map(({ message }) => message), ended.lastLine ?? ""]);
      if (failure !== undefined) return failedByDocker(failure, { work, meta, logs: ended.logs });
    }
    if (ended.kind === "exit" && ended.code === KILLED) {
      const detail = `Cannot finish "${meta.operation}": its container must not be killed; it was, most likely for want of memory`;
      return failed("executor_lost", detail, { logs: ended.logs });
    }
    return resultOf(ended, meta);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function containerVariables(meta: InvocationMeta): [string, string][] {
  return Object.entries(environmentOf(meta, "")).filter(([name]) =>
    /^(?:SWITCHYARD_|TRACE(?:PARENT|STATE)$)/.test(name),
  );
}

type Failed = { work: ContainerImplementation; meta: InvocationMeta; logs: readonly LogLine[] };

function failedByDocker({ kind, said }: DockerFailure, { work, meta, logs }: Failed): InvocationResult {
  if (kind === "lost") {
    const rule = `Docker must answer until its container has ended; it broke off: ${said}`;
    return failed("executor_lost", `Cannot finish "${meta.operation}": ${rule}`, { logs });
  }
  const code = kind === "refused" ? "environment_misconfigured" : "environment_unavailable";
  const rule = `Docker must be able to start it; it says: ${said}`;
  return failed(code, `Cannot run "${meta.operation}" as the container ${work.image}: ${rule}`, { logs });
}

/** A container of a Docker engine or of runc as a command line, or the rule that it breaks. `kill` ends it from outside. */
export type Commands = { args: string[]; kill: EndCommands };

function docker(work: ContainerImplementation, id: string, variables: [string, string][]): Commands | string {
  if (work.image.startsWith("-")) return "an image must not look like an option; it does";
  const env = variables.flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const args = ["run", "--rm", "-i", "--name", id, "--network", "none", "--pull", "missing", ...env, work.image];
  return { args: [...args, ...(work.command ?? [])], kill: [["docker", "rm", "--force", id]] };
}

type BundleConfig = {
  process?: { terminal?: boolean; args?: string[]; env?: string[] };
  root?: { path?: string };
  hooks?: unknown;
  linux?: { namespaces?: { type: string; path?: string }[] };
};

type RuncOptions = {
  variables: readonly [string, string][];
  folder: string;
  /** host: the machine's own, for what must be reached. Else there is nothing in its network. */
  network?: "host";
};

/** A copy of the bundle's configuration with what the call decides, or the rule that the bundle breaks. */
export async function runcCommands(
  work: ContainerImplementation,
  id: string,
  { variables, folder, network }: RuncOptions,
): Promise<Commands | string> {
  let config: BundleConfig;
  let root: string;
  try {
    const bundle = await realpath(work.image);
    const file = await realpath(path.join(bundle, "config.json"));
    config = JSON.parse(await readFile(file, "utf8")) as BundleConfig;
    root = await realpath(path.resolve(bundle, config.root?.path ?? "rootfs"));
    for (const each of [file, root]) {
      if (!each.startsWith(`${bundle}/`)) return `all of a bundle must lie in it; a link or path leads to ${each}`;
    }
  } catch (thrown) {
    return `with runc, the image must be an OCI bundle's folder; ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
  const { hooks: _, ...rest } = config;
  const namespaces = (config.linux?.namespaces ?? []).filter(({ type }) => type !== "network");
  const ours = {
    ...rest,
    root: { ...config.root, path: root },
    process: {
      ...config.process,
      terminal: false,
      args: work.command ?? config.process?.args,
      env: [...(config.process?.env ?? []), ...variables.map(([name, value]) => `${name}=${value}`)],
    },
    linux: { ...config.linux, namespaces: network === "host" ? namespaces : [...namespaces, { type: "network" }] },
  };
  await writeFile(path.join(folder, "config.json"), JSON.stringify(ours));
  return {
    args: ["run", "-b", folder, id],
    kill: [
      ["runc", "kill", id, "KILL"],
      ["runc", "delete", "-f", id],
    ],
  };
}

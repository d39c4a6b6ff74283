/**
 * What a service runs as one command line with its environment: its program, or a container of Docker or runc. Nothing of the
 * runner's environment is in it but PATH and LANG. Throws what keeps it from being started here, before anything has run.
 */
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { SwitchyardError } from "../../core/errors.ts";
import type { ContainerImplementation } from "../../model/implementations.ts";
import type { ReplicaSpec, Run } from "../../model/services.ts";
import { dockerFailure, dockerVariables } from "../work/docker.node.ts";
import type { EndCommands } from "../work/end-container.node.ts";
import { containerEngine, runcCommands } from "../work/container.node.ts";
import { isProgram, locateProgram } from "../work/locate-program.node.ts";

export type Command = {
  file: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Ends what is not a descendant: a container. */
  kill: EndCommands;
  /** Where it listens in its container: Docker's proxy takes connections for it also while it does not. null: nothing is before it. */
  inside: number | null;
  /** How it ended, where its exit code and last lines are not its own. */
  explain?: (code: number | null, lines: readonly string[]) => string | undefined;
};

export type Place = {
  service: string;
  replica: string;
  spec: ReplicaSpec;
  /** Where it listens, as the machine sees it. */
  host: string;
  port: number;
  /** Its own, empty. */
  folder: string;
};

/** Where servers in containers listen unless the row says otherwise. */
const CONTAINER_PORT = 8_080;

/** The port of the machine that it must have. null: any; a container of Docker has its own port mapped to that. */
export async function portWanted({ run, port }: ReplicaSpec): Promise<number | null> {
  return run !== null && "container" in run && (await containerEngine()) === "docker" ? null : port;
}

export async function commandOf(place: Place): Promise<Command> {
  const { spec, service } = place;
  if (spec.run !== null && "process" in spec.run) return processCommand(spec.run.process, place);
  if (spec.run !== null && "container" in spec.run) return await containerCommand(spec.run.container, place);
  throw misconfigured(`start "${service}" on a runner`, "it must run a process or a container; it runs neither");
}

type Process = Extract<Run, { process: unknown }>["process"];

function processCommand({ command, working_directory: directory }: Process, place: Place): Command {
  const [program = "", ...args] = command;
  const located = locateProgram(program);
  if (located === undefined || !isProgram(located.path)) {
    const why = located === undefined ? "it is not there" : "it is no program that this user may run";
    throw misconfigured(`start "${place.service}"`, `the program "${program}" must be there to be run; ${why}`);
  }
  const cwd = directory === null ? place.folder : path.resolve(directory);
  if (directory !== null && !isFolder(cwd)) {
    throw misconfigured(`start "${place.service}" in ${cwd}`, "its working_directory must be a folder here; it is not");
  }
  const env = environmentOf(place, { port: place.port, host: place.host });
  return { ...endsWithUs({ file: located.path, args }), env, cwd, kill: [], inside: null };
}

async function containerCommand(work: ContainerImplementation, place: Place): Promise<Command> {
  const engine = await containerEngine();
  const what = `start "${place.service}" as the container ${work.image}`;
  if (engine === undefined) throw misconfigured(what, "a Docker engine, or runc and root, must be here; neither is");
  const id = `switchyard-${randomUUID()}`;
  const { PATH = "", LANG = "", HOME = "", TMPDIR = "" } = environmentOf({ ...place, spec: { variables: {} } }, place);
  const client = { PATH, LANG, HOME, TMPDIR };
  if (engine === "docker") return dockerCommand(work, place, { what, id, client });
  // In the machine's own network: one of its own would need an address, and somebody who gives it.
  const own = environmentOf(place, { port: place.port, host: place.host });
  const variables = Object.entries(inContainer(own, place));
  const commands = await runcCommands(work, id, { variables, folder: place.folder, network: "host" });
  if (typeof commands === "string") throw misconfigured(what, commands);
  return {
    ...endsWithUs({ file: "runc", args: commands.args }),
    env: client,
    cwd: place.folder,
    kill: commands.kill,
    inside: null,
  };
}

type Docker = { what: string; id: string; client: Record<string, string> };

async function dockerCommand(
  work: ContainerImplementation,
  place: Place,
  { what, id, client }: Docker,
): Promise<Command> {
  if (work.image.startsWith("-")) throw misconfigured(what, "an image must not look like an option; it does");
  const inside = place.spec.port ?? CONTAINER_PORT;
  const published = `${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}:${inside}`;
  const own = environmentOf(place, { port: inside, host: "0.0.0.0" });
  const variables = Object.entries(inContainer(own, place));
  const throughClient = variables.filter(([name]) => !isClients(name));
  const pastClient = variables.filter(([name]) => isClients(name));
  const several = pastClient.find(([, value]) => /[\r\n]/.test(value));
  if (several !== undefined) {
    const rule = "a variable that Docker's client may go by itself must be one line";
    throw misconfigured(what, `${rule}; ${several[0]} has several`);
  }
  // No value is on a command line, which everybody on the machine can see.
  const file = path.join(place.folder, "variables");
  await writeFile(file, pastClient.map(([name, value]) => `${name}=${value}\n`).join(""), { mode: 0o600 });
  const names = throughClient.flatMap(([name]) => ["--env", name]).concat("--env-file", file);
  const run = ["run", "--rm", "--name", id, "--publish", published, "--pull", "missing", ...names, work.image];
  return {
    ...endsWithUs({ file: "docker", args: [...run, ...(work.command ?? [])] }),
    env: { ...Object.fromEntries(throughClient), ...client, ...dockerVariables() },
    cwd: place.folder,
    kill: [["docker", "rm", "--force", id]],
    inside,
    explain: explainDocker,
  };
}

/** What the client needs for itself, so that a container's cannot be passed through it. */
const OWN: ReadonlySet<string> = new Set(["PATH", "LANG", "HOME", "TMPDIR"]);

type Given = Pick<Place, "service" | "replica" | "folder"> & { spec: Pick<ReplicaSpec, "variables"> };

function environmentOf({ service, replica, spec, folder }: Given, listens: { port: number; host: string }) {
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    LANG: process.env["LANG"] ?? "C.UTF-8",
    HOME: folder,
    TMPDIR: folder,
    HOST: listens.host,
    ...spec.variables,
    PORT: String(listens.port),
    SWITCHYARD_SERVICE: service,
    SWITCHYARD_REPLICA: replica,
  };
  return env;
}

/** By these the client on this machine would go by what is meant for the container: its engine, the way to it, its plugins, its libraries. */
function isClients(name: string): boolean {
  return OWN.has(name) || /^(?:DOCKER|LD|DYLD|SSH)_|_PROXY$/i.test(name);
}

function explainDocker(code: number | null, lines: readonly string[]): string | undefined {
  const failure = dockerFailure(code, lines);
  if (failure === undefined) return undefined;
  return failure.kind === "lost" ? `Docker broke off: ${failure.said}` : `Docker did not start it: ${failure.said}`;
}

/** PATH, HOME and their like are the image's own, unless the row says otherwise. */
function inContainer(env: Record<string, string>, { spec }: Place): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !OWN.has(name) || Object.hasOwn(spec.variables, name)),
  );
}

let setpriv: string | null | undefined;

/** Where it can be had (Linux), the kernel ends it when the runner is killed. */
function endsWithUs({ file, args }: { file: string; args: readonly string[] }): { file: string; args: string[] } {
  setpriv ??= process.platform === "linux" ? (locateProgram("setpriv")?.path ?? null) : null;
  return setpriv === null
    ? { file, args: [...args] }
    : { file: setpriv, args: ["--pdeathsig", "KILL", "--", file, ...args] };
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
}

function misconfigured(what: string, rule: string): SwitchyardError {
  return new SwitchyardError("environment_misconfigured", `Cannot ${what}: ${rule}`);
}

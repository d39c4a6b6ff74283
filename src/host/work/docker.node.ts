/** What Docker's client goes by on this machine, and what it says where a container was not started, or was lost with the engine. */

/** By these the client finds its engine, its logins and its helpers: the runner's own, as in a shell of its user. */
export function dockerVariables(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => name === "HOME" || name.startsWith("DOCKER_"));
  return Object.fromEntries(own.map(([name, value = ""]) => [name, value]));
}

/** refused: nothing of the container has run. unreachable: neither, for the engine does not answer. lost: the engine went away while it ran. */
export type DockerFailure = { kind: "refused" | "unreachable" | "lost"; said: string };

/** The client ends with these where it fails itself; containers may end with them too. */
const OWN_CODES: ReadonlySet<number | null> = new Set([125, 126, 127]);
/** What may follow on its reason: how to get help, and that it has stopped waiting because of it. */
const AFTERWORDS = /^(?:See|Run) 'docker run --help'|error waiting for container: context canceled/;
export const NO_ENGINE = /Cannot connect to the Docker daemon|error during connect/;

/** Undefined: the exit code is the container's own. The client's words must be the last: then the container has said nothing. */
export function dockerFailure(code: number | null, lines: readonly string[]): DockerFailure | undefined {
  if (!OWN_CODES.has(code)) return undefined;
  const words = lines.filter((line) => !AFTERWORDS.test(line));
  const last = words.at(-1) ?? "";
  // It may have broken off while it was told to start it, too.
  const [, broken] = /(?:error waiting for container|error during connect): (.*?)[".]*$/.exec(last) ?? [];
  if (broken !== undefined) return { kind: "lost", said: broken };
  if (!last.startsWith("docker: ")) return undefined;
  const absent = words.filter((line) => line.startsWith("Unable to find image"));
  const said = [...absent, last.slice("docker: ".length).replace(/\.+$/, "")].join("; ");
  return { kind: NO_ENGINE.test(last) ? "unreachable" : "refused", said };
}

/**
 * What sorts of work a host runs, as its owner says it in words. Nothing is allowed that no word names; work that none
 * covers is refused before anything of it has run. Pure: what a path leads to is asked of `Locate`.
 */
import { SwitchyardError } from "../core/errors.ts";
import type { Work } from "../model/host-protocol.ts";

export type Allow = {
  readonly module: boolean;
  readonly python: boolean;
  readonly processes: readonly Pattern[];
  readonly containers: readonly Pattern[];
  readonly http: readonly Address[];
};

/** `any` covers everything, `under` what begins with (containers) or lies in the folder (processes), `exact` itself. */
type Pattern = { kind: "any" } | { kind: "under"; text: string } | { kind: "exact"; text: string };
/** `port` empty: that of the scheme. `suffix`: any host under the name, not the name itself. */
type Address = { host: string; port: string; suffix: boolean };

/** Where a program lies: `path` with the links of its folder followed, `real` with its own followed too. */
export type Located = { path: string; real: string };
/** Finds a program as it would be run: a name on PATH, a relative path from the working directory. */
export type Locate = (program: string) => Located | undefined;

const FORMS = [
  "module",
  "python",
  "process:/path/to/program",
  "process:/folder/*",
  "process:name",
  "process:*",
  "container:image",
  "container:prefix*",
  "http:host",
  "http:host:8080",
  "http:*.suffix",
];

/** Throws usage, with the forms, for a word that is none. */
export function parseAllow(words: readonly string[]): Allow {
  const processes: Pattern[] = [];
  const containers: Pattern[] = [];
  const http: Address[] = [];
  for (const word of words) {
    const [, sort, rest = ""] = /^(process|container|http):(.+)$/s.exec(word) ?? [];
    if (word === "module" || word === "python") continue;
    else if (sort === "process") processes.push(parsePattern(word, rest, "/*"));
    else if (sort === "container") containers.push(parsePattern(word, rest, "*"));
    else if (sort === "http") http.push(parseAddress(word, rest));
    else throw badWord(word, "a word must have one of the known forms");
  }
  return { module: words.includes("module"), python: words.includes("python"), processes, containers, http };
}

function parsePattern(word: string, text: string, ending: "*" | "/*"): Pattern {
  if (text === "*") return { kind: "any" };
  const exact = text.endsWith(ending) ? text.slice(0, -1) : text;
  if (/[*\0\n]/.test(exact)) throw badWord(word, `a star may stand only at the end, as ${ending}`);
  // "process:/*" would be everything in other words.
  if (text === ending) throw badWord(word, "everything is allowed by process:* or container:*, in so many words");
  return exact === text ? { kind: "exact", text } : { kind: "under", text: exact };
}

function parseAddress(word: string, text: string): Address {
  const suffix = text.startsWith("*.");
  const [, host, port = ""] =
    /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?$/.exec(suffix ? text.slice(2) : text) ?? [];
  const url = host === undefined ? undefined : parseUrl(`http://${host}`);
  if (url === undefined || Number(port) > 65_535) throw badWord(word, "an address is a host, a host:port or *.suffix");
  return { host: url.hostname, port, suffix };
}

function badWord(word: string, rule: string): SwitchyardError {
  return new SwitchyardError("usage", `Cannot allow "${word}": ${rule}; it is "${word}"`, {
    hint: `The forms are: ${FORMS.join("  ")}`,
  });
}

/** What it comes to, one sentence each, for whoever starts the host. */
export function describeAllow(allow: Allow): string[] {
  const said: string[] = [];
  if (allow.module) said.push("Runs JavaScript modules, confined to the network hosts that each operation lists.");
  if (allow.python) said.push("Runs Python modules, NOT confined: they can do what this user can do.");
  for (const each of allow.processes) {
    if (each.kind === "any")
      said.push("Runs ANY program as this user: whoever may write operations owns this machine.");
    else if (each.kind === "under")
      said.push(`Runs any program in ${each.text}, with any arguments; services with any variables too.`);
    else said.push(`Runs the program ${each.text}, with any arguments; services with any variables too.`);
  }
  for (const each of allow.containers) {
    if (each.kind === "any") said.push("Runs ANY container image.");
    else if (each.kind === "under") said.push(`Runs any container image that begins with ${each.text}.`);
    else said.push(`Runs the container image ${each.text}.`);
  }
  for (const address of allow.http) said.push(`Sends requests to ${showAddress(address)}.`);
  return said.length === 0 ? ["Runs nothing: no --allow was given."] : said;
}

function showAddress({ host, port, suffix }: Address): string {
  return `${suffix ? "any host under " : ""}${host}${port === "" ? "" : `:${port}`}`;
}

/** Why the host does not run it, as a sentence's end; undefined when it does. */
export function forbidden(allow: Allow, work: Work, locate: Locate): string | undefined {
  switch (work.kind) {
    case "module": {
      const word = work.language === "python" ? "python" : "module";
      return allow[word] ? undefined : refusal(`${work.language} modules`, word);
    }
    case "process":
      return forbiddenProgram(allow.processes, work.command[0] ?? "", locate);
    case "container":
      return allow.containers.some((pattern) => coversImage(pattern, work.image))
        ? undefined
        : refusal(`the container image ${work.image}`, `container:${work.image}`);
    case "http":
      return forbiddenUrl(allow.http, work.url);
    case "replica": {
      if (work.do !== "start" || work.spec.run === null || "address" in work.spec.run) return undefined;
      const { run, variables } = work.spec;
      return "process" in run
        ? (forbiddenProgram(allow.processes, run.process.command[0] ?? "", locate) ??
            forbiddenVariable(allow.processes, variables))
        : forbidden(allow, { kind: "container", ...run.container }, locate);
    }
  }
}

function refusal(what: string, word: string): string {
  return `its allow-list does not have ${what} (--allow ${word})`;
}

function forbiddenProgram(patterns: readonly Pattern[], program: string, locate: Locate): string | undefined {
  if (patterns.some(({ kind }) => kind === "any")) return undefined;
  const located = locate(program);
  if (located !== undefined && patterns.some((pattern) => coversProgram(pattern, located, locate))) return undefined;
  if (located === undefined && patterns.some((pattern) => wouldCover(pattern, program, locate)))
    return `the program ${program} must be there; it is not`;
  const leads = located !== undefined && located.real !== located.path ? `, which leads to ${located.real}` : "";
  return refusal(`the program ${program}${leads}`, `process:${program}`);
}

/** The program of the work where it would be allowed, and is not there; undefined: it is not for that that work is refused. */
export function missingProgram(allow: Allow, work: Work, locate: Locate): string | undefined {
  const program = programOf(work);
  if (program === undefined || locate(program) !== undefined) return undefined;
  return allow.processes.some((pattern) => pattern.kind !== "any" && wouldCover(pattern, program, locate))
    ? program
    : undefined;
}

function programOf(work: Work): string | undefined {
  if (work.kind === "process") return work.command[0];
  if (work.kind !== "replica" || work.do !== "start" || work.spec.run === null) return undefined;
  return "process" in work.spec.run ? work.spec.run.process.command[0] : undefined;
}

/** Through these the loader runs other code in whatever program is allowed. */
function forbiddenVariable(patterns: readonly Pattern[], variables: Readonly<Record<string, string>>) {
  if (patterns.some(({ kind }) => kind === "any")) return undefined;
  const name = Object.keys(variables).find((each) => /^(?:LD|DYLD)_/i.test(each));
  return name === undefined ? undefined : refusal(`programs with the variable ${name}`, "process:*");
}

/**
 * A link that is itself named is what its owner means by it, and it is compared by its own name: with a program of many
 * names (busybox) the right to run one would else be that to run all. In a folder, what counts is where it leads.
 */
function coversProgram(pattern: Pattern, located: Located, locate: Locate): boolean {
  if (pattern.kind === "any") return true;
  const named = locate(pattern.text);
  if (named === undefined) return false;
  return pattern.kind === "exact"
    ? located.path === named.path
    : located.real.startsWith(named.real.endsWith("/") ? named.real : `${named.real}/`);
}

/** What is not there, where it would be allowed: elsewhere nobody is told what there is on this machine. */
function wouldCover(pattern: Pattern, program: string, locate: Locate): boolean {
  if (pattern.kind === "exact") return pattern.text === program;
  if (!program.includes("/")) return false;
  const folder = locate(program.slice(0, program.lastIndexOf("/") + 1));
  return folder !== undefined && coversProgram(pattern, { ...folder, real: `${folder.real}/` }, locate);
}

function coversImage(pattern: Pattern, image: string): boolean {
  if (pattern.kind === "any") return true;
  if (pattern.kind === "exact") return image === pattern.text;
  return image.startsWith(pattern.text) && !image.split("/").includes("..");
}

function forbiddenUrl(addresses: readonly Address[], text: string): string | undefined {
  if (text.startsWith("/")) return `a path needs an environment with an address of its own; it is ${text}`;
  const url = parseUrl(text);
  if (url === undefined || url.username !== "" || url.password !== "") {
    return "its url must be an http address without a user or password; it is not";
  }
  return addresses.some((address) => coversUrl(address, url))
    ? undefined
    : refusal(`the address ${url.host}`, `http:${url.host}`);
}

function coversUrl(address: Address, url: URL): boolean {
  const host = address.suffix ? url.hostname.endsWith(`.${address.host}`) : url.hostname === address.host;
  const schemePort = url.protocol === "https:" ? "443" : "80";
  return host && (address.port === "" ? url.port === "" : address.port === (url.port === "" ? schemePort : url.port));
}

function parseUrl(text: string): URL | undefined {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}

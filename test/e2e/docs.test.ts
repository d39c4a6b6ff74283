/**
 * The documentation, run as it is written: every shell command of README.md, docs/*.md and docs/adapters/*.md, on one real platform, each
 * page in one shell. README runs in the repository's root, the others in a scratch folder that has `examples/` and the
 * repository's packages. What a block must say of itself: see _markdown.ts.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ExposureSchema, ProvidedBySchema, ServiceSchema } from "../../src/model/services.ts";
import { FACTS, StateMachineSchema } from "../../src/model/state-machines.ts";
import { hasLines, stepsOf, type Command } from "./_markdown.ts";
import { ROOT, run, startDev, temporaryFolder, waitUntil, type Dev } from "./_platform.ts";
import { isAlive } from "./_services.ts";

/** DOCS_PAGES=services: only pages whose path has that in it, for whoever writes one. */
const only = process.env["DOCS_PAGES"] ?? "";
const PAGES = [
  "README.md",
  ...["docs", "docs/adapters"].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`),
  ),
].filter((page) => page.includes(only));
const read = (page: string): string => readFileSync(path.join(ROOT, page), "utf8");

let dev: Dev;
let scratch: string;
/** Pages run side by side, so each writes only to entries of its own; more of them at once would only be slower. */
const AT_ONCE = 4;
const PAGE_MS = 240_000;
const ALL_PAGES_MS = Math.ceil(PAGES.length / AT_ONCE) * PAGE_MS;
let runs: Map<string, Promise<Outcomes>>;

beforeAll(async () => {
  scratch = temporaryFolder();
  // `npx opctl` and `opctl` without what npx costs; everything else of the machine stays as it is.
  const bin = path.join(scratch, "bin");
  mkdirSync(bin);
  const opctl = `exec '${process.execPath}' '${path.join(ROOT, "cli/opctl.js")}' "$@"\n`;
  writeFileSync(path.join(bin, "opctl"), `#!/bin/sh\n${opctl}`);
  writeFileSync(path.join(bin, "npx"), `#!/bin/sh\n[ "$1" = opctl ] || exit 127\nshift\n${opctl}`);
  for (const name of ["opctl", "npx"]) chmodSync(path.join(bin, name), 0o755);
  dev = await startDev({ args: ["--examples"] });
  const lanes = Array.from({ length: AT_ONCE }, (): Promise<unknown> => Promise.resolve());
  runs = new Map(
    PAGES.map((page, at) => {
      const lane = at % AT_ONCE;
      const run = (lanes[lane] ?? Promise.resolve()).then(() => runPage(page));
      lanes[lane] = run.catch(() => undefined); // The page's own test says it.
      return [page, run];
    }),
  );
}, 120_000);
afterAll(async () => {
  await dev?.stop();
  rmSync(scratch, { recursive: true, force: true });
}, 60_000);

/** undefined: the command never ended. `code` undefined: it went on, as it was to. */
type Outcome = { code: number | undefined; stdout: string; stderr: string } | undefined;
type Outcomes = Map<Command, Outcome>;

/** One shell for the page, so that a variable that is set stays set. Answers what each command came to. */
async function runPage(page: string): Promise<Outcomes> {
  const steps = stepsOf(read(page));
  const name = page.replaceAll(/\W/g, "_");
  const out = path.join(scratch, `out-${name}`);
  const folder = page === "README.md" ? ROOT : path.join(scratch, name);
  mkdirSync(out);
  if (page !== "README.md") {
    mkdirSync(folder);
    for (const shared of ["examples", "node_modules"]) symlinkSync(path.join(ROOT, shared), path.join(folder, shared));
  }
  const lines = steps.map((step, index) => {
    const text = step.text.replaceAll("http://127.0.0.1:8787", dev.url);
    if (step.kind === "file") return `cat >'${step.name}' <<'END_OF_FILE'\n${text}END_OF_FILE`;
    const to = path.join(out, String(index));
    const streams = `>'${to}.out' 2>'${to}.err' </dev/null`;
    if (!step.meanwhile) return `{\n${text}\n} ${streams}\necho $? >'${to}.code'`;
    // What comes after it may need it to be there.
    const [said = ""] = (step.expected[0] ?? "").split("…").toSorted((a, b) => b.length - a.length);
    const isThere = `grep -qsF -e '${said}' '${to}.out' '${to}.err' || ! kill -0 $!`;
    const wait = `for _ in $(seq 300); do { ${isThere}; } 2>/dev/null && break; sleep 0.1; done`;
    return `{ exec ${text.trimStart()}\n} ${streams} &\necho $! >'${to}.pid'\n${wait}`;
  });
  const script = path.join(scratch, `${name}.sh`);
  writeFileSync(script, `set -o pipefail\n${lines.join("\n")}\n`);
  await run("bash", [script], {
    cwd: folder,
    env: {
      PATH: `${path.join(scratch, "bin")}:${process.env["PATH"] ?? ""}`,
      SWITCHYARD_URL: dev.url,
      SWITCHYARD_TOKEN: dev.token,
    },
    timeoutMs: PAGE_MS,
  });
  const file = (index: number, end: string): string => {
    const at = path.join(out, `${index}.${end}`);
    return existsSync(at) ? readFileSync(at, "utf8") : "";
  };
  await Promise.all(steps.map((_, index) => endMeanwhile(Number(file(index, "pid")))));
  const outcomes: Outcomes = new Map();
  for (const [index, step] of steps.entries()) {
    if (step.kind === "file") continue;
    const pid = file(index, "pid");
    if (pid !== "") {
      outcomes.set(step, { code: undefined, stdout: file(index, "out"), stderr: file(index, "err") });
      continue;
    }
    const code = file(index, "code");
    const ended = code !== "";
    outcomes.set(
      step,
      ended ? { code: Number(code), stdout: file(index, "out"), stderr: file(index, "err") } : undefined,
    );
  }
  return outcomes;
}

/** Of what was to go on meanwhile: the page is over. 0: there is none. */
async function endMeanwhile(pid: number): Promise<void> {
  if (pid === 0 || !isAlive(pid)) return;
  process.kill(pid, "SIGTERM");
  await waitUntil(() => !isAlive(pid), 30_000).catch(() => process.kill(pid, "SIGKILL"));
}

/** What is wrong with it, or undefined. */
function complaint(command: Command, outcome: Outcome): string | undefined {
  if (outcome === undefined) return "never ended";
  const { code, stdout, stderr } = outcome;
  const printed = `it printed\n${stdout}${stderr}`;
  if (command.refused !== undefined) {
    if (code === 0) return `should have been refused with "${command.refused}"; ${printed}`;
    if (!stderr.includes(command.refused) && !stdout.includes(command.refused))
      return `should have been refused with "${command.refused}"; ${printed}`;
  } else if (code !== 0 && !command.meanwhile) return `ended with ${code}; ${printed}`;
  if (hasLines(stdout, command.expected) || hasLines(stderr, command.expected)) return undefined;
  return `should have printed\n${command.expected.join("\n")}\n${printed}`;
}

describe.each(PAGES)("%s", (page) => {
  it("runs as it is written", { timeout: ALL_PAGES_MS }, async () => {
    const outcomes = (await runs.get(page)) ?? new Map<Command, Outcome>();
    const complaints = [...outcomes]
      .map(([command, outcome]) => [command, complaint(command, outcome)] as const)
      .filter(([, wrong]) => wrong !== undefined)
      .map(([{ line, text }, wrong]) => `${page}:${line}: ${text}\n${wrong}`);
    expect(complaints.join("\n\n")).toBe("");
  });

  it("links to files that are there", () => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "");
    const missing = links.filter((link) => !existsSync(path.resolve(ROOT, path.dirname(page), link)));
    expect(missing).toEqual([]);
  });
});

describe("the pages say all there is", () => {
  it("docs/http.md has every route and every status", async () => {
    const document = (await (await dev.request("/openapi.json")).json()) as {
      paths: Record<string, Record<string, { tags: string[] }>>;
    };
    const routes = Object.entries(document.paths).flatMap(([route, methods]) =>
      Object.entries(methods)
        .filter(([, { tags }]) => tags.includes("platform"))
        .map(([method]) => `${method.toUpperCase()} ${route.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(routes.length).toBeGreaterThan(10);
    const codes = JSON.parse((await dev.opctl(["explain", "--json"])).stdout) as { code: string; status: number }[];
    const page = read("docs/http.md");
    expect(routes.filter((route) => !page.includes(`\`${route}\``))).toEqual([]);
    expect([...new Set(codes.map(({ status }) => status))].filter((status) => !page.includes(`| ${status} `))).toEqual(
      [],
    );
  });

  it("docs/operations.md has every field of an operation", async () => {
    const { meta: _, ...row } = (await (await dev.request("/registry/operations/echo")).json()) as Record<
      string,
      unknown
    >;
    const page = read("docs/operations.md");
    expect(Object.keys(row)).toContain("timeout_ms");
    expect(Object.keys(row).filter((field) => field !== "name" && !page.includes(`\`${field}\``))).toEqual([]);
  });

  it("docs/services.md has every field of a service, an exposure, a request and a state machine, and every fact", () => {
    const page = read("docs/services.md");
    const { name: _, description: __, ...service } = ServiceSchema.entries;
    const machine = { ...StateMachineSchema.entries, ...StateMachineSchema.entries.transitions.pipe[0].item.entries };
    const fields = [service, ExposureSchema.entries, ProvidedBySchema.entries, machine, FACTS].flatMap(Object.keys);
    expect(fields.length).toBeGreaterThan(40);
    const own = new Set(["description", "from", "to"]);
    expect(fields.filter((field) => !own.has(field) && !page.includes(`\`${field}\``))).toEqual([]);
  });

  it("docs/opctl.md has every command", async () => {
    const { stdout } = await dev.opctl(["help"]);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) .*/gm)].map((match) => match[1] ?? "");
    expect(commands).toContain("deploy");
    const page = read("docs/opctl.md");
    expect(commands.filter((name) => name !== "help" && !page.includes(`opctl ${name}`))).toEqual([]);
  });
});

describe("stepsOf()", () => {
  it.each([
    "```\nls\n```",
    "```bash\nls\n```",
    "```ts\nexport {}\n```",
    "```sh not-run:\nls\n```",
    "  ```sh\n  ls\n  ```",
  ])("refuses a block that does not say what becomes of it: %j", (markdown) => {
    expect(() => stepsOf(markdown)).toThrow(/a block must/);
  });

  it("reads commands over several lines, what they print and what refuses them", () => {
    const markdown =
      "```sh\na \\\n  b   # → one\n# → two\nc 'x\ny'  # ✗ no\n```\n```ts file=d.ts\nd\n```\n```sh meanwhile\ne\n```";
    expect(stepsOf(markdown)).toEqual([
      {
        kind: "command",
        line: 2,
        text: "a \\\n  b   # → one",
        expected: ["one", "two"],
        refused: undefined,
        meanwhile: false,
      },
      { kind: "command", line: 5, text: "c 'x\ny'  # ✗ no", expected: [], refused: "no", meanwhile: false },
      { kind: "file", line: 9, name: "d.ts", text: "d\n" },
      { kind: "command", line: 12, text: "e", expected: [], refused: undefined, meanwhile: true },
    ]);
    expect(hasLines("x  1\nabc\ny", ["x 1", "a…c"])).toBe(true);
    expect(hasLines("abc\nx 1", ["x 1", "a…c"])).toBe(false);
  });
});

import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SwitchyardError } from "../core/errors.ts";
import type { Work } from "../model/host-protocol.ts";
import { describeAllow, forbidden, parseAllow, type Locate } from "./allow.ts";
import { locateProgram } from "./work/locate-program.node.ts";

const nowhere: Locate = () => undefined;
const asNamed: Locate = (file) => ({ path: file, real: file });
const program = (file: string): Work => ({ kind: "process", command: [file, "-x"] });
const container = (image: string): Work => ({ kind: "container", image, command: null });
const http = (url: string): Work => ({ kind: "http", url, method: "POST" });
const ofModule = (language: "javascript" | "python"): Work => ({ kind: "module", language });

describe("parseAllow()", () => {
  test.each([
    "",
    "modules",
    "process",
    "process:",
    "process:/*",
    "process:/opt/*/bin",
    "container:",
    "container:a*b",
    "http:",
    "http:*",
    "http:*:80",
    "http:host:0",
    "http:host:99999",
    "http:http://host",
    "http:host/path",
    "ssh:host",
    "module ",
  ])("refuses %j with the forms", (word) => {
    const refused = captured(() => parseAllow(["module", word]));
    expect(refused.code).toBe("usage");
    expect(refused.message).toContain(`Cannot allow "${word}": `);
    expect(refused.hint).toContain("process:/folder/*");
  });
});

describe("forbidden()", () => {
  test.each<[words: string[], work: Work, passes: boolean]>([
    [[], ofModule("javascript"), false],
    [["module"], ofModule("javascript"), true],
    [["module"], ofModule("python"), false],
    [["python"], ofModule("python"), true],
    [["python"], ofModule("javascript"), false],
    [["process:*"], program("/nowhere/at/all"), true],
    [["module", "python", "container:*"], program("/bin/sh"), false],
    [["container:team/*"], container("team/app:1"), true],
    [["container:team/*"], container("team/../other/app"), false],
    [["container:team/*"], container("teams/app"), false],
    [["container:team/app"], container("team/app:1"), false],
    [["container:team/app:1"], container("team/app:1"), true],
    [["container:*"], container("anything"), true],
    [["http:printer.local"], http("http://printer.local/x"), true],
    [["http:printer.local"], http("https://PRINTER.local/x"), true],
    [["http:printer.local"], http("http://printer.local:8080/x"), false],
    [["http:printer.local:8080"], http("http://printer.local:8080/x"), true],
    [["http:printer.local:8080"], http("http://printer.local/x"), false],
    [["http:printer.local:80"], http("http://printer.local/x"), true],
    [["http:printer.local:80"], http("https://printer.local/x"), false],
    [["http:*.local"], http("http://a.b.local/"), true],
    [["http:*.local"], http("http://local/"), false],
    [["http:*.local"], http("http://evillocal/"), false],
    [["http:printer.local"], http("http://printer.local@evil.example/"), false],
    [["http:printer.local"], http("http://user:word@printer.local/"), false],
    [["http:printer.local"], http("/only/a/path"), false],
    [["http:127.0.0.1:9"], http("http://2130706433:9/"), true],
    [["http:[::1]:9"], http("http://[::1]:9/"), true],
    [["http:127.0.0.1"], http("http://[::1]/"), false],
  ])("%j and %j: passes %s", (words, work, passes) => {
    expect(forbidden(parseAllow(words), work, nowhere) === undefined).toBe(passes);
  });

  test("says what to add", () => {
    expect(forbidden(parseAllow(["module"]), container("team/app"), nowhere)).toBe(
      "its allow-list does not have the container image team/app (--allow container:team/app)",
    );
  });

  describe("of programs on a real disk", () => {
    let folder: string;
    const locate: Locate = (program) =>
      locateProgram(program, { cwd: path.join(folder, "cwd"), searchPath: `.:${path.join(folder, "bin")}` });

    const here = (text: string) => text.replace("FOLDER", folder);

    beforeAll(() => {
      folder = realpathSync(mkdtempSync(path.join(tmpdir(), "switchyard-allow-")));
      for (const each of ["cwd", "bin", "jobs", "jobs/deep", "jobs2", "outside"]) mkdirSync(path.join(folder, each));
      for (const each of ["cwd/thumb.sh", "bin/tool", "bin/busy", "jobs/a", "jobs/deep/b", "jobs2/c", "outside/evil"]) {
        writeFileSync(path.join(folder, each), "#!/bin/sh\n");
        chmodSync(path.join(folder, each), 0o755);
      }
      symlinkSync(path.join(folder, "outside/evil"), path.join(folder, "jobs/link"));
      symlinkSync(path.join(folder, "outside"), path.join(folder, "jobs/folder"));
      symlinkSync(path.join(folder, "jobs"), path.join(folder, "same-jobs"));
      symlinkSync(path.join(folder, "outside/evil"), path.join(folder, "cwd/link.sh"));
      symlinkSync("busy", path.join(folder, "bin/ls"));
      symlinkSync("busy", path.join(folder, "bin/sh"));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    // FOLDER stands for the folder above.
    test.each<[word: string, program: string, passes: boolean]>([
      ["FOLDER/jobs/a", "FOLDER/jobs/a", true],
      ["FOLDER/jobs/a", "FOLDER/jobs/../jobs/a", true],
      ["FOLDER/jobs/a", "FOLDER/same-jobs/a", true],
      ["FOLDER/jobs/a", "../jobs/a", true],
      ["./thumb.sh", "./thumb.sh", true],
      ["./thumb.sh", "FOLDER/cwd/thumb.sh", true],
      ["./thumb.sh", "thumb.sh", false],
      ["./thumb.sh", "./link.sh", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/a", true],
      ["FOLDER/jobs/*", "FOLDER/jobs/deep/b", true],
      ["FOLDER/same-jobs/*", "FOLDER/jobs/a", true],
      ["FOLDER/jobs/*", "FOLDER/jobs2/c", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/../jobs2/c", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/link", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/folder/evil", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/missing", false],
      ["FOLDER/jobs/link", "FOLDER/jobs/link", true],
      ["FOLDER/outside/evil", "FOLDER/jobs/link", false],
      ["tool", "tool", true],
      ["tool", "FOLDER/bin/tool", true],
      ["tool", "./tool", false],
      ["FOLDER/bin/*", "tool", true],
      ["ls", "ls", true],
      ["ls", "sh", false],
      ["ls", "FOLDER/bin/sh", false],
    ])("process:%s lets %s pass: %s", (word, file, passes) => {
      expect(forbidden(parseAllow([`process:${here(word)}`]), program(here(file)), locate) === undefined).toBe(passes);
    });

    test.each<[word: string, program: string, isSaid: boolean]>([
      ["FOLDER/jobs/*", "FOLDER/jobs/missing", true],
      ["FOLDER/jobs/*", "FOLDER/jobs/deep/missing", true],
      ["FOLDER/jobs/*", "../jobs/missing", true],
      ["./missing.sh", "./missing.sh", true],
      ["FOLDER/jobs/*", "FOLDER/jobs2/missing", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/folder/missing", false],
      ["FOLDER/jobs/*", "FOLDER/jobs/../outside/missing", false],
      ["FOLDER/jobs/*", "missing", false],
      ["FOLDER/jobs/*", "FOLDER/jobs2/c", false],
    ])("process:%s says that %s is not there: %s", (word, file, isSaid) => {
      const said = forbidden(parseAllow([`process:${here(word)}`]), program(here(file)), locate);
      expect(said).toContain(isSaid ? "must be there; it is not" : "its allow-list does not have the program");
    });
  });
});

test.each<[word: string, variable: string, passes: boolean]>([
  ["process:/bin/sh", "MODE", true],
  ["process:/bin/sh", "LD_PRELOAD", false],
  ["process:/bin/*", "DYLD_INSERT_LIBRARIES", false],
  ["process:*", "LD_LIBRARY_PATH", true],
])("forbidden() with %s lets a service set %s: %s", (word, variable, passes) => {
  const run = { process: { command: ["/bin/sh"], working_directory: null } };
  const health = { path: null, interval_ms: 1_000, timeout_ms: 1_000, failures: 1, start_ms: 1_000 };
  const spec = { run, variables: { [variable]: "x" }, port: null, health, requires: {}, stop_ms: 0 };
  const work: Work = { kind: "replica", do: "start", service: "shop", replica: "a", revision: "1", spec };
  expect(forbidden(parseAllow([word]), work, asNamed) === undefined).toBe(passes);
});

test("describeAllow() says what it comes to, and what is dangerous in so many words", () => {
  expect(describeAllow(parseAllow([]))).toEqual(["Runs nothing: no --allow was given."]);
  const said = describeAllow(
    parseAllow(["module", "python", "process:*", "process:/a/*", "container:b*", "http:*.c:1"]),
  );
  expect(said).toHaveLength(6);
  expect(said.join("\n")).toMatch(/NOT confined.*\n.*ANY program.*\n.*in \/a\/.*\n.*begins with b\.\n.*under c:1\./);
});

function captured(act: () => unknown): SwitchyardError {
  try {
    act();
  } catch (error) {
    if (error instanceof SwitchyardError) return error;
  }
  throw new Error("it was not refused");
}

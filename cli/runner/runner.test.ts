import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { capabilitiesOf } from "./capabilities.ts";
import { readRunnerWords } from "./options.ts";
import { describeServices, stateFolder } from "./services.ts";
import { quote, renderUnit } from "./unit.ts";

describe("capabilitiesOf()", () => {
  test("says what can be seen of the machine", () => {
    expect(capabilitiesOf([])).toMatchObject({ arch: os.arch(), os: os.platform(), memory_mb: expect.any(Number) });
  });

  test.each([
    ["gpu=true", { gpu: true }],
    ["gpu", { gpu: true }],
    ["gpu=false", { gpu: false }],
    ["vram_mb=8192", { vram_mb: 8192 }],
    ["zone=cellar", { zone: "cellar" }],
    ["label=a=b", { label: "a=b" }],
    ["arch=none", { arch: "none" }],
  ])("reads %s", (word, read) => {
    expect(capabilitiesOf([word])).toMatchObject(read);
  });

  test.each(["GPU=true", "=x", "zone="])("refuses %s", (word) => {
    expect(() => capabilitiesOf([word])).toThrow(/Cannot declare the capability/);
  });
});

describe("readRunnerWords()", () => {
  test("allows modules alone unless it is told", () => {
    const settings = readRunnerWords({ environment: "rack-1" });
    expect(settings).toMatchObject({ allowWords: ["module"], runs: ["module"], runtime: "deno" });
    expect(settings.slots).toBeGreaterThanOrEqual(1);
  });

  test("allows what is said and nothing besides", () => {
    const { runs } = readRunnerWords({ environment: "rack-1", allow: ["process:/opt/x", "http:printer.lan"] });
    expect(runs).toEqual(["process", "http", "replica"]);
  });

  test.each<[string[], string[], RegExp]>([
    [["module"], ["module"], /^Keeps no services running/],
    [["process:*"], ["process", "replica"], /by the same programs: reached through this runner alone/],
    [["container:*"], ["container", "replica"], /by the same containers:/],
  ])("takes services with %j", (allow, runs, said) => {
    const settings = readRunnerWords({ environment: "rack-1", allow });
    expect(settings).toMatchObject({ runs, serviceHost: undefined });
    expect(describeServices(settings)[0]).toMatch(said);
  });

  test("says that services on an address of the machine are reached by others", () => {
    const settings = readRunnerWords({ environment: "rack-1", allow: ["process:*"], serviceHost: "127.0.0.1" });
    expect(describeServices(settings)[0]).toMatch(/listening on 127\.0\.0\.1, where anybody/);
  });

  test.each([
    [{ STATE_DIRECTORY: "/var/lib/r:/var/lib/s", XDG_STATE_HOME: "/s" }, "/var/lib/r/replicas"],
    [{ XDG_STATE_HOME: "/s" }, "/s/switchyard-runner/replicas"],
    [{ XDG_STATE_HOME: "s" }, path.join(os.homedir(), ".local/state/switchyard-runner/replicas")],
  ])("with %j notes what it has started in %s", (env, folder) => {
    expect(stateFolder(env)).toBe(folder);
  });

  test.each([
    [{ environment: "rack-1", serviceHost: "0.0.0.0" }, /must be an address of this machine/],
    [{ environment: "rack-1", serviceHost: "192.0.2.1" }, /must be an address of this machine/],
    [{ environment: "rack-1", serviceHost: "localhost" }, /must be an address of this machine/],
    [{ environment: "Rack 1" }, /must be an environment's name/],
    [{ environment: "rack-1", slots: "0" }, /from 1 to 256/],
    [{ environment: "rack-1", slots: "2.5" }, /from 1 to 256/],
    [{ environment: "rack-1", name: "a b" }, /--name/],
    [{ environment: "rack-1", runtime: "bun" }, /deno or node/],
    [{ environment: "rack-1", allow: ["all"] }, /Cannot allow "all"/],
  ])("refuses %j", (words, said) => {
    expect(() => readRunnerWords(words)).toThrow(said);
  });
});

describe("renderUnit()", () => {
  test("has no place for the token but its file", () => {
    const unit = renderUnit({
      environment: "rack-1",
      url: "https://sy.example",
      command: ["/usr/bin/node", "/opt/opctl.js", "runner", "start", "--capability", "label=a b"],
      user: "runner",
      tokenFile: "/etc/switchyard/runner-rack-1.env",
    });
    expect(unit).toContain('ExecStart=/usr/bin/node /opt/opctl.js runner start --capability "label=a b"\n');
    expect(unit).toContain("EnvironmentFile=/etc/switchyard/runner-rack-1.env\n");
    expect(unit).not.toContain("SWITCHYARD_TOKEN=sy_a");
  });

  test.each([
    ["plain-word_1=x", "plain-word_1=x"],
    ["a b", '"a b"'],
    ["$HOME", '"$$HOME"'],
    ["50%", '"50%%"'],
    ['say "x"', String.raw`"say \"x\""`],
    [String.raw`a\b`, String.raw`"a\\b"`],
  ])("quotes %s for systemd", (word, quoted) => {
    expect(quote(word)).toBe(quoted);
  });
});

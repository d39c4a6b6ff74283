/** opctl on services and state machines, on a platform in memory. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import { READY_MADE } from "../../src/machines/ready-made.ts";
import { statusView } from "../services/_statuses.test-util.ts";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";
import { runOpctl } from "../testing/run-opctl.ts";

const fake = opctlOnFake();
const albums = { name: "albums", environment: "rack-1", state_machine: "hot_cold", replicas: { min: 1, max: 5 } };

beforeEach(() => {
  for (const machine of READY_MADE) fake.platform.put("state_machine", machine, "system");
  fake.platform.put("service", albums);
  fake.platform.services.set("albums", statusView());
});

const complete = async (...words: string[]) => (await fake.opctl("__complete", "--", ...words)).stdout.split("\n");

const commands = () =>
  fake.platform.seen.filter(({ method }) => method === "POST").map(({ path: at, body }) => [at, body]);

describe("opctl get", () => {
  it("of a service says what it is at; with -o the row, with that as its status", async () => {
    const { stdout } = await fake.opctl("get", "service", "albums");
    expect(stdout).toMatch(/^albums\n {2}state {10}hot, since .*\n/);
    const row = JSON.parse((await fake.opctl("get", "service", "albums", "-o", "json")).stdout) as object;
    expect(row).toMatchObject({ ...albums, meta: { revision: 1 }, status: { state: "hot", wanted: 1 } });
    expect((await fake.opctl("get", "service", "albums", "-o", "yaml")).stdout).toContain("status:\n  name: albums");
    const file = path.join(fake.folder, "albums.json");
    writeFileSync(file, JSON.stringify({ kind: "service", ...row }));
    expect(await fake.opctl("apply", "--dry-run", "-f", file)).toMatchObject({ code: 0 });
    expect((await fake.opctl("get", "service", "albums", "-a", "environment")).stdout).toBe("ENVIRONMENT\nrack-1\n");
  });

  it("of services shows the state of each; of one that cannot be asked, why", async () => {
    fake.platform.put("service", { ...albums, name: "other" });
    const { stdout, code } = await fake.opctl("get", "services");
    const [header, first, second] = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(header).toEqual(["NAME", "ACTIVE", "ENVIRONMENT", "STATE_MACHINE", "STATE", "READY", "SINCE", "PROBLEM"]);
    expect(first).toEqual(["albums", "-", "rack-1", "hot_cold", "hot", "1 of 1", "2026-11-29T12:00:00Z", "-"]);
    expect(second?.at(-1)).toBe('Cannot run "other" yet');
    expect(code).toBe(0);
  });

  it("of operations says which request to a service one is", async () => {
    const provided_by = { exposure: "door", method: "GET", path: "/albums/{id}" };
    fake.platform.put("operation", { name: "get_album", implemented_at: null, provided_by });
    const { stdout } = await fake.opctl("get", "operations", "get_album", "-a", "implemented_at");
    expect(stdout).toBe("IMPLEMENTED_AT\ndoor: GET /albums/{id}\n");
  });

  it("where no status can be read still shows the row as JSON", async () => {
    fake.platform.services.clear();
    const table = await fake.opctl("get", "service", "albums");
    expect(table).toMatchObject({ code: 6, stdout: "" });
    const json = await fake.opctl("get", "service", "albums", "-o", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({ name: "albums", status: null });
    expect(json.stderr).toContain("warning:");
  });
});

describe("opctl service", () => {
  it.each([
    [["deploy", "albums"], "/services/albums/deploy", ""],
    [["undeploy", "albums"], "/services/albums/undeploy", ""],
    [["restart", "albums"], "/services/albums/restart", ""],
    [["scale", "albums", "3"], "/services/albums/scale", '{"replicas":3}'],
  ])("%j asks for it and shows what it is at", async (words, route, body) => {
    const { stdout, code } = await fake.opctl("service", ...words);
    expect(code).toBe(0);
    expect(stdout).toContain("state          hot");
    expect(commands()).toEqual([[route, body]]);
  });

  it("--wait tells what happens until it is so", async () => {
    let looks = 0;
    fake.platform.services.set("albums", statusView({ replicas: [], ready: 0, settled: false, events: [] }));
    fake.platform.before = ({ method }) => {
      if (method === "GET" && ++looks === 3) fake.platform.services.set("albums", statusView());
    };
    const { stdout, stderr, code } = await fake.opctl("service", "deploy", "albums", "--wait");
    expect(code).toBe(0);
    expect(stderr.split("\n").slice(0, 2)).toEqual([
      "2026-11-29T12:00:00Z  albums-1 is ready",
      "2026-11-29T12:00:00Z  hot: waiting > 0: it was 3",
    ]);
    expect(stdout).toContain("1 of 1 ready");
  });

  it("--wait ends with 1 where it does not come up, and with 7 after --timeout", async () => {
    fake.platform.services.set(
      "albums",
      statusView({ problem: "no runner is connected", settled: false, stuck: true }),
    );
    const stuck = await fake.opctl("service", "deploy", "albums", "--wait");
    expect(stuck.code).toBe(1);
    expect(stuck.stderr).toContain("does not get there by itself: no runner is connected");
    fake.platform.services.set("albums", statusView({ settled: false }));
    expect((await fake.opctl("service", "deploy", "albums", "--wait", "--timeout", "100ms")).code).toBe(7);
  });

  it("shows and waits for as much as a token may see that directs services and may not look at them", async () => {
    const { name, active, state, since, revision, outdated, wanted, ready, stuck } = statusView();
    const part = { name, active, state, since, revision, outdated, wanted, ready, stuck };
    let looks = 0;
    fake.platform.before = ({ path: at }) => {
      const isLook = at === "/services/albums/progress";
      if (isLook) looks++;
      fake.platform.answers.set("GET /services/albums/progress", { ...part, settled: looks === 3 });
    };
    fake.platform.answers.set("POST /services/albums/deploy", { ...part, settled: false });
    fake.platform.answers.set("GET /services/albums/status", new SwitchyardError("forbidden", "Cannot look"));
    const { stdout, stderr, code } = await fake.opctl("service", "deploy", "albums", "--wait");
    expect([code, stderr, looks]).toEqual([0, "", 3]);
    expect(stdout).toBe(
      "albums\n  state     hot, since 2026-11-29T12:00:00Z\n  revision  3fa2b1c4\n  replicas  1 of 1 ready\n",
    );
  });

  it.each([
    [["scale", "albums", "many"], "whole number"],
    [["deploy", "albums", "--timeout", "1s"], "without --wait"],
    [["warm", "albums"], "warm"],
  ])("%j is refused and asks for nothing", async (words, said) => {
    const { code, stderr } = await fake.opctl("service", ...words);
    expect(code).toBe(2);
    expect(stderr).toContain(said);
    expect(commands()).toEqual([]);
  });
});

describe("opctl watch service", () => {
  it("tells what happens, once each, until it is not there any more", async () => {
    let looks = 0;
    const at = "2026-11-29T12:00:09Z";
    fake.platform.before = () => {
      looks++;
      const events = [...statusView().events, { seq: 3, at, what: "albums-1 is stopped" }];
      if (looks === 3) fake.platform.services.set("albums", statusView({ events }));
      if (looks === 5) fake.platform.services.clear();
    };
    const { stdout, stderr, code } = await fake.opctl("watch", "service", "albums");
    expect([stdout, code]).toEqual([`${at}  albums-1 is stopped\n`, 6]);
    expect(stderr).toContain("hot, 1 of 1 ready");
  });
});

describe("opctl diagram", () => {
  it("is mermaid where nobody reads it, with the state of the one service that goes by it", async () => {
    const { stdout, stderr } = await fake.opctl("diagram", "state-machine", "hot_cold");
    expect(stdout).toMatch(/^stateDiagram-v2\n/);
    expect(stdout).toContain("class s_hot current");
    expect(stderr).toContain('the service "albums"');
  });

  it("is drawn for a terminal with --format text, and marks the state of the service that is named", async () => {
    fake.platform.put("service", { ...albums, name: "other" });
    fake.platform.services.set("other", statusView({ name: "other", state: "cold" }));
    const words = ["diagram", "state-machine", "hot_cold", "--format", "text"];
    expect((await fake.opctl(...words)).stdout).not.toContain("it is here");
    expect((await fake.opctl(...words, "--service", "other")).stdout).toMatch(/cold .*it is here/);
  });

  it.each([
    [["diagram", "operation", "x"], 2, "must be a state-machine"],
    [["diagram", "state-machine", "hot_cold", "--format", "svg"], 2, "text or mermaid"],
    [["diagram", "state-machine", "always_on", "--service", "albums"], 2, 'goes by "hot_cold"'],
    [["diagram", "state-machine", "hot_colt"], 4, "hot_cold"],
  ])("%j is refused", async (words, exit, said) => {
    const { code, stderr } = await fake.opctl(...words);
    expect(code).toBe(exit);
    expect(stderr).toContain(said);
  });
});

describe("state machines", () => {
  it.each(["state-machine", "state-machines", "state_machine", "State-Machine"])("are called %s", async (word) => {
    expect((await fake.opctl("get", word, "hot_cold", "-a", "initial")).stdout).toBe("INITIAL\ncold\n");
  });

  it("are edited as YAML in an editor", async () => {
    const editor = path.join(fake.folder, "editor.sh");
    writeFileSync(editor, `#!/bin/sh\nsed -i 's/value: 300/value: 60/' "$1"; cp "$1" ${fake.folder}/seen.yaml\n`, {
      mode: 0o755,
    });
    const { stderr, code } = await runOpctl(["edit", "state-machine", "hot_cold"], {
      cwd: fake.folder,
      env: { ...fake.environment, EDITOR: editor },
    });
    expect([code, stderr]).toEqual([0, "state_machine hot_cold: revision 1 → 2\n"]);
    expect(readFileSync(path.join(fake.folder, "seen.yaml"), "utf8")).toContain("kind: state_machine\nname: hot_cold");
    expect(fake.platform.entries.get("state_machine hot_cold")?.content).toMatchObject({
      transitions: [{ name: "warm_up" }, { name: "cool_down", when: { value: 60 } }],
    });
  });

  it("are completed with a dash, and services by their names", async () => {
    expect(await complete("get", "state")).toEqual(["state-machine", "state-machines", ""]);
    expect(await complete("service", "deploy", "al")).toEqual(["albums", ""]);
    expect(await complete("watch", "service", "al")).toEqual(["albums", ""]);
    expect(await complete("diagram", "state-machine", "hot_cold", "--service", "al")).toEqual(["albums", ""]);
  });
});

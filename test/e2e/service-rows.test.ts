/** Rows of services, exposures and state machines on the real platform, as opctl and HTTP write them. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDev, temporaryFolder, type Dev } from "./_platform.ts";

let dev: Dev;
let folder: string;
beforeAll(async () => {
  dev = await startDev();
  folder = temporaryFolder();
});
afterAll(() => dev.stop());

/** Each names what stands below it, so that only the right order applies them in one go. */
const MANIFESTS = `kind: operation
name: list_albums
provided_by: {exposure: albums, method: GET, path: "/albums/{artist}"}
input_type: {type: object, properties: {artist: {type: string}}, required: [artist]}
---
kind: exposure
name: albums
service: albums
base_path: /v1
---
kind: service
name: albums
environment: rack-1
state-machine: none
run: {process: {command: [albums]}}
---
kind: state-machine
name: when_open
initial: cold
states: {cold: {replicas: 0}, hot: {replicas: 2}}
transitions:
  - {name: warm_up, from: cold, to: hot, when: {all: [{fact: waiting, op: ">", value: 0}, {operation: is_open}]}}
  - {name: cool_down, from: hot, to: cold, when: {fact: idle_seconds, op: ">=", value: 60}}
---
kind: operation
name: is_open
implemented_at: {process: {command: [is-open]}}
environment: rack-1
---
kind: environment
name: rack-1
adapter: runner
`;

async function put(route: string, body: object): Promise<{ status: number; problem: Record<string, unknown> }> {
  const response = await dev.request(`/registry/${route}`, { method: "PUT", body: JSON.stringify(body) });
  return { status: response.status, problem: (await response.json()) as Record<string, unknown> };
}

describe("manifests of a service", () => {
  test("with a field that there is not are refused before anything is sent", async () => {
    const file = path.join(folder, "wrong.yaml");
    writeFileSync(file, MANIFESTS);
    const { code, stderr } = await dev.opctl(["apply", "-f", file]);
    expect(code).toBe(1);
    expect(stderr).toContain("/state-machine: there is no such field");
  });

  test("apply in one go whatever their order, say what could not be analysed, and go round", async () => {
    const file = path.join(folder, "albums.yaml");
    writeFileSync(file, MANIFESTS.replace("state-machine: none", "state_machine: when_open"));
    const applied = await dev.opctl(["apply", "-f", file]);
    expect([applied.code, applied.stderr]).toEqual([0, expect.stringContaining("6 created")]);
    const kinds = applied.stdout.split("\n").map((line) => line.split(":")[0]);
    expect(kinds).toEqual([
      "environment rack-1",
      "operation is_open",
      "state_machine when_open",
      "service albums",
      "exposure albums",
      "operation list_albums",
      "",
    ]);
    expect(applied.stderr).toMatch(
      /warning: state_machine when_open: \/transitions\/0\/when: .*"warm_up" hangs on an operation/,
    );
    expect((await dev.opctl(["diff", "-f", file])).stdout + (await dev.opctl(["apply", "-f", file])).stdout).toContain(
      "service albums: unchanged",
    );
    const exported = path.join(folder, "exported");
    mkdirSync(exported);
    expect((await dev.opctl(["export", "services", "-d", exported])).code).toBe(0);
    expect(readFileSync(path.join(exported, "services/albums.yaml"), "utf8")).toContain("kind: service\nname: albums");
  });
});

test("a state machine's replicas and its service's bounds are raised, and lowered, in one go", async () => {
  const file = path.join(folder, "bounds.yaml");
  const apply = (replicas: number, max: number) => {
    const own = MANIFESTS.replaceAll("albums", "wide").replaceAll("when_open", "when_wide");
    const fitting = own.replace("state-machine: none", `state_machine: when_wide\nreplicas: {max: ${max}}`);
    writeFileSync(file, fitting.replace("hot: {replicas: 2}", `hot: {replicas: ${replicas}}`));
    return dev.opctl(["apply", "-f", file]);
  };
  expect(await apply(2, 5)).toMatchObject({ code: 0 });
  expect(await apply(8, 9)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/service wide: changed .*\n(?:.*\n)*state_machine when_wide: changed/) as string,
  });
  expect(await apply(3, 4)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/state_machine when_wide: changed .*\n(?:.*\n)*service wide: changed/) as string,
  });
  const refused = await apply(9, 8);
  expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining("service wide: changed")]);
  expect(refused.stderr).toContain('it may have 8, and the state "hot" of "when_wide" wants 9');
  expect(refused.stderr).toContain("Stopped at state_machine when_wide, 5 of 6 done");
});

describe("what is refused", () => {
  test.each<[string, object, number, string, RegExp]>([
    [
      "services/odd",
      { environment: "inline", run: { process: { command: ["x"] } } },
      422,
      "/environment",
      /"inline" runs no services/,
    ],
    ["services/odd", { environment: "rack-1", run: { address: "http://a" }, port: 5 }, 422, "/port", /no effect/],
    [
      "services/albums",
      { environment: "rack-1", state_machine: "when_open", run: { process: { command: ["x"] } }, replicas: { max: 1 } },
      422,
      "/replicas/max",
      /wants 2/,
    ],
    ["exposures/odd", { service: "none" }, 422, "/service", /must be registered/],
    [
      "operations/odd",
      {
        provided_by: { exposure: "albums", path: "/{id}" },
        input_type: { type: "object", additionalProperties: false },
      },
      422,
      "/provided_by/path",
      /"id" is none/,
    ],
    [
      "state_machines/odd",
      { initial: "a", states: { a: {}, b: {} }, transitions: [] },
      422,
      "/states/b",
      /nothing leads from "a" to "b"/,
    ],
  ])("%s %j says where", async (route, body, status, pointer, detail) => {
    const answer = await put(route, body);
    expect(answer.status).toBe(status);
    expect(answer.problem).toMatchObject({
      detail: expect.stringMatching(detail) as string,
      errors: [expect.objectContaining({ pointer }), ...(answer.problem["errors"] as unknown[]).slice(1)],
    });
  });

  test("is what is in use: a state machine, a service, an exposure, an environment", async () => {
    for (const [kind, name] of [
      ["state-machine", "when_open"],
      ["service", "albums"],
      ["exposure", "albums"],
      ["environment", "rack-1"],
      ["operation", "is_open"],
    ] as const) {
      const { code, stderr } = await dev.opctl(["delete", kind, name, "--yes"]);
      expect([kind, code, stderr]).toEqual([kind, 5, expect.stringContaining("is used by")]);
    }
  });

  test("is a token that may not write it", async () => {
    const { stdout } = await dev.opctl(["token", "create", "reader", "--scope", "registry:read"]);
    const token = stdout.trim();
    for (const route of ["services", "exposures", "state_machines"]) {
      expect((await dev.request(`/registry/${route}/x`, { method: "PUT", body: "{}", token })).status).toBe(403);
      expect((await dev.request(`/registry/${route}`, { token })).status).toBe(200);
    }
    expect((await dev.request("/services/albums/deploy", { method: "POST", token })).status).toBe(403);
  });
});

describe("a state machine", () => {
  test("is edited in an editor: what is wrong comes back with the reason, and nothing is lost", async () => {
    const editor = path.join(folder, "editor.sh");
    // First it names a state that is not there; then, told so, it is mended.
    const mend = `cp "$1" ${folder}/again.yaml; sed -i 's/initial: warm/initial: cold/; s/value: 60/value: 90/' "$1"`;
    const spoil = `sed -i 's/initial: cold/initial: warm/' "$1"`;
    writeFileSync(editor, `#!/bin/sh\nif grep -q '^#!' "$1"; then ${mend}; else ${spoil}; fi\n`, { mode: 0o755 });
    const edited = await dev.opctl(["edit", "state-machine", "when_open"], { env: { EDITOR: editor, VISUAL: "" } });
    expect(edited.code).toBe(0);
    expect(edited.stderr).toContain("Opening the editor again.");
    expect(edited.stderr).toContain("state_machine when_open: revision 1 → 2");
    expect(readFileSync(path.join(folder, "again.yaml"), "utf8")).toMatch(/^#! .*it is to begin in "warm"/);
    const { stdout } = await dev.opctl(["get", "state-machine", "when_open", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ initial: "cold", transitions: [{}, { when: { value: 90 } }] });
  });

  test("is drawn, marked where its one service is", async () => {
    const text = await dev.opctl(["diagram", "state-machine", "when_open", "--format", "text"]);
    expect(text.stdout).toMatch(/cold .*0 replicas.*it is here/);
    expect(text.stdout).toContain("waiting > 0 and is_open()");
    const mermaid = await dev.opctl(["diagram", "state-machine", "hot_cold"]);
    expect(mermaid.stdout).toContain("stateDiagram-v2\n  [*] --> s_cold");
  });
});

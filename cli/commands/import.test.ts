/** `opctl import openapi` as a shell runs it, against a platform in memory. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { readFileSync, writeFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";
import { runOpctl } from "../testing/run-opctl.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const fake = opctlOnFake();
const ALBUMS = path.resolve("examples/albums/openapi/albums.yaml");
const NAMES = ["check_health", "list_albums", "add_album", "get_album", "replace_album", "delete_album"];

const valuesOf = (text: string): unknown[] => parseAllDocuments(text).map((each) => each.toJS() as unknown);

describe("opctl import openapi", () => {
  test("creates the operations and their exposure, and finds nothing to do the next time", async () => {
    const words = ["import", "openapi", ALBUMS, "--exposure", "albums", "--service", "albums_python"];
    const first = await fake.opctl(...words);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout.trim().split("\n")).toEqual([
      "exposure albums: created (revision 1)",
      ...NAMES.map((name) => `operation ${name}: created (revision 1)`),
    ]);
    expect(fake.platform.entries.get("exposure albums")?.content).toMatchObject({
      service: "albums_python",
      base_path: "",
    });
    expect(fake.platform.entries.get("operation get_album")?.content).toMatchObject({
      provided_by: { exposure: "albums", method: "GET", path: "/albums/{album_id}" },
    });
    const again = await fake.opctl(...words);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stderr).toContain("7 unchanged");
  });

  test("changes what is different, and refuses as apply does", async () => {
    await fake.opctl("import", "openapi", ALBUMS, "--exposure", "albums");
    const words = ["import", "openapi", ALBUMS, "--exposure", "albums", "--group", "music", "--json"];
    const { code, stdout } = await fake.opctl(...words);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(
      NAMES.map((name) => ({ kind: "operation", name, action: "changed", revision: 2 })),
    );
    const denied = await runOpctl(["import", "openapi", ALBUMS, "--exposure", "a"], {
      env: { ...fake.environment, SWITCHYARD_TOKEN: "sy_other" },
    });
    expect(denied).toMatchObject({ code: 3, stdout: "" });
  });

  test("--dry-run prints manifests that apply reads, and asks the platform nothing", async () => {
    const { code, stdout, stderr } = await runOpctl([
      "import",
      "openapi",
      ALBUMS,
      "--exposure",
      "albums",
      "--group",
      "albums",
      "--dry-run",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "Nothing was written: 6 operations.\n" });
    const written = readFileSync(path.resolve("examples/albums/operations.yaml"), "utf8");
    expect(valuesOf(stdout)).toEqual(valuesOf(written));
    const json = await runOpctl([
      "import",
      "openapi",
      ALBUMS,
      "--exposure",
      "albums",
      "--group",
      "albums",
      "--dry-run",
      "--json",
    ]);
    expect(JSON.parse(json.stdout)).toEqual(valuesOf(written));
    const applied = await runOpctl(["apply", "-f", "-"], { env: fake.environment, input: stdout });
    expect(applied).toMatchObject({ code: 0 });
  });

  test("-o writes a file for each, for apply", async () => {
    const words = ["import", "openapi", ALBUMS, "--service", "albums_c", "--prefix", "far_", "-o", "manifests"];
    expect(await fake.opctl(...words)).toMatchObject({ code: 0, stdout: "", stderr: "In manifests: 6 operations.\n" });
    expect(fake.platform.seen).toEqual([]);
    const folder = path.join(fake.folder, "manifests");
    expect(readdirSync(path.join(folder, "operations")).toSorted()).toEqual(
      NAMES.map((name) => `far_${name}.yaml`).toSorted(),
    );
    expect(parse(readFileSync(path.join(folder, "exposures/albums_c.yaml"), "utf8"))).toEqual({
      kind: "exposure",
      name: "albums_c",
      service: "albums_c",
    });
    expect(await fake.opctl("apply", "-f", "manifests")).toMatchObject({ code: 0 });
  });

  test("says on stderr what was left out, and goes on", async () => {
    const sample = path.resolve("cli/import/samples/kennel-3.0.yaml");
    const { code, stdout, stderr } = await fake.opctl("import", "openapi", sample);
    expect(code).toBe(0);
    expect(stdout.match(/created/g)).toHaveLength(5);
    expect(stderr).toContain("warning: not imported:\n  GET /dogs/{dogId}/picture: its answer 200 is image/png");
    expect(stderr).toContain('warning: imported, but for this:\n  its server is at "/api/v1": the exposure "kennel"');
    const quiet = await fake.opctl("import", "openapi", sample, "--quiet");
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
  });

  test("reads a URL and stdin", async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      if (request.url === "/openapi.yaml") response.end(readFileSync(ALBUMS));
      else response.writeHead(404).end();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const dry = ["--exposure", "a", "--dry-run"];
    try {
      const fetched = await fake.opctl("import", "openapi", `${url}/openapi.yaml`, ...dry);
      expect(fetched).toMatchObject({ code: 0 });
      const piped = await runOpctl(["import", "openapi", "-", ...dry], { input: readFileSync(ALBUMS, "utf8") });
      expect(piped.stdout).toBe(fetched.stdout);
      const missing = await fake.opctl("import", "openapi", `${url}/other`, ...dry);
      expect(missing.code).toBe(2);
      expect(missing.stderr).toContain("it must answer with the document; it answers 404");
      // The platform's token goes nowhere else.
      expect(seen).toEqual([undefined, undefined]);
    } finally {
      server.close();
    }
    expect((await fake.opctl("import", "openapi", `${url}/openapi.yaml`, ...dry)).code).toBe(2);
  });

  test.each<[text: string, words: string[], code: number, message: string]>([
    ["swagger: '2.0'", [], 2, 'it must say openapi: 3.0.x or 3.1.x; it is "2.0"'],
    ["openapi: 3.1.0\ninfo: {title: '!'}", [], 2, 'the title "!" makes no name'],
    ["openapi: 3.1.0\ninfo: {title: A}\npaths: {}", [], 1, "it has 0, and none is"],
    [
      "openapi: 3.1.0\ninfo: {title: A}\npaths: {/a: {trace: {}}}",
      [],
      1,
      "TRACE /a: no operation has the method TRACE",
    ],
    ["openapi: 3.1.0", ["--exposure", "No"], 2, "It must start with a-z"],
  ])("refuses %j", async (text, words, code, message) => {
    const file = path.join(fake.folder, "api.yaml");
    writeFileSync(file, text);
    const run = await fake.opctl("import", "openapi", file, ...words);
    expect({ code: run.code, stdout: run.stdout }).toEqual({ code, stdout: "" });
    expect(run.stderr).toContain(message);
  });

  test("refuses a file that is not there", async () => {
    const run = await fake.opctl("import", "openapi", "nothing.yaml");
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('Cannot read "nothing.yaml": there must be such a file; it is missing');
  });

  test("completes its word, its options and the names that they take", async () => {
    fake.platform.put("service", { name: "albums_c" });
    const complete = async (...words: string[]) =>
      (await fake.opctl("__complete", "--", ...words)).stdout.trim().split("\n");
    expect(await complete("import", "")).toEqual(["openapi"]);
    expect(await complete("import", "openapi", "a.yaml", "--ex")).toEqual(["--exposure"]);
    expect(await complete("import", "openapi", "a.yaml", "--service", "al")).toEqual(["albums_c"]);
  });
});

/**
 * The official JSON Schema test suite, 2020-12, every required test. It comes from Debian's package
 * libtest-json-schema-acceptance-perl (no npm package ships it): installed by apt, unpacked under
 * node_modules/.cache/json-schema-suite, or wherever JSON_SCHEMA_SUITE leads (the folder that has draft2020-12/).
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { SwitchyardError } from "../core/errors.ts";
import { compileType } from "./compile.ts";
import type { JsonSchema } from "./definition.ts";
import { explain } from "./explain.ts";
import { compileFast } from "./fast.ts";
import { compileLibrary, metaschemaFailures } from "./library.ts";
import { FORMATS } from "./formats.ts";
import { loadPatternEngine } from "../core/regex.ts";
import { scanSchema } from "./scan.ts";

await loadPatternEngine();

type Group = {
  description: string;
  schema: JsonSchema;
  tests: { description: string; data: unknown; valid: boolean }[];
};

const SHARE = "usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance/tests";
const PLACES = [
  process.env["JSON_SCHEMA_SUITE"],
  fileURLToPath(new URL(`../../node_modules/.cache/json-schema-suite/${SHARE}`, import.meta.url)),
  `/${SHARE}`,
];
const folder = PLACES.find((place) => place !== undefined && existsSync(`${place}/draft2020-12/ref.json`));

/** Groups that need a schema from elsewhere, which is never fetched: each must be refused when it is compiled. */
const REMOTE: Readonly<Record<string, readonly string[]>> = {
  "dynamicRef.json": [
    "strict-tree schema, guards against misspelled properties",
    "tests for implementation dynamic anchor and reference link",
    "$ref and $dynamicAnchor are independent of order - $defs first",
    "$ref and $dynamicAnchor are independent of order - $ref first",
  ],
  "refRemote.json": [
    "remote ref",
    "fragment within remote ref",
    "anchor within remote ref",
    "ref within remote ref",
    "base URI change",
    "base URI change - change folder",
    "base URI change - change folder in subschema",
    "root ref in remote ref",
    "remote ref with ref to defs",
    "Location-independent identifier in remote ref",
    "retrieved nested refs resolve relative to their URI not $id",
    "remote HTTP ref with different $id",
    "remote HTTP ref with different URN $id",
    "remote HTTP ref with nested absolute ref",
  ],
  // Their $schema is the remote one.
  "vocabulary.json": [
    "schema that uses custom metaschema with with no validation vocabulary",
    "ignore unrecognized optional vocabulary",
  ],
};

/** Groups that compileType() refuses because a default does not fit its own schema. Their verdicts are still checked. */
const UNFIT_DEFAULT: Readonly<Record<string, readonly string[]>> = {
  "default.json": [
    "invalid type for default",
    "invalid string value for default",
    "the default keyword does not do anything if the property is missing",
  ],
};

const MISSING =
  "the JSON Schema test suite is not on this machine: apt-get install libtest-json-schema-acceptance-perl, or set JSON_SCHEMA_SUITE";

if (folder === undefined) {
  console.error(`\n!! src/types/suite.test.ts: NOT RUN, ${MISSING}\n`);
  describe("official JSON Schema 2020-12 suite", () => {
    it(`is on this machine`, (context) => {
      if (process.env["CI"] !== undefined) throw new Error(MISSING);
      context.skip(MISSING);
    });
  });
} else {
  const files = readdirSync(`${folder}/draft2020-12`).filter((name) => name.endsWith(".json"));
  let viaFast = 0;
  let viaLibrary = 0;

  for (const file of files) {
    const groups = JSON.parse(readFileSync(`${folder}/draft2020-12/${file}`, "utf8")) as Group[];
    describe(`official JSON Schema 2020-12 suite, ${file}`, () => {
      for (const group of groups) {
        if ((REMOTE[file] ?? []).includes(group.description)) {
          it(`compileType() refuses: ${group.description}`, async () => {
            await expect(compileType(group.schema, () => undefined)).rejects.toMatchObject({
              code: "schema_unsupported",
            });
          });
          continue;
        }
        describe(group.description, () => {
          const { scan, unsupported, invalid } = scanSchema(group.schema);
          const fast = compileFast(scan);
          let library: Awaited<ReturnType<Awaited<ReturnType<typeof compileLibrary>>["checkAt"]>>;

          beforeAll(async () => {
            expect([...unsupported, ...invalid, ...(await metaschemaFailures(group.schema))]).toEqual([]);
            library = await (await compileLibrary(scan)).checkAt(scan.root);
          });

          it("goes through compileType()", async () => {
            if ((UNFIT_DEFAULT[file] ?? []).includes(group.description)) {
              await expect(compileType(group.schema, () => undefined)).rejects.toBeInstanceOf(SwitchyardError);
              return;
            }
            const type = await compileType(group.schema, () => undefined);
            for (const { data, valid } of group.tests) expect(type.check(data).ok).toBe(valid);
          });

          for (const { description, data, valid } of group.tests) {
            it(description, () => {
              viaLibrary++;
              expect(library.accepts(data), "library").toBe(valid);
              expect(library.failures(data).length === 0, "library's failures").toBe(valid);
              if (fast === undefined) return;
              viaFast++;
              expect(fast.accepts(data), "fast").toBe(valid);
              expect(explain(fast.failures(data)), "the same issues").toEqual(explain(library.failures(data)));
            });
          }
        });
      }
    });
  }

  describe("official JSON Schema 2020-12 suite", () => {
    it("was run, by the library and where it qualifies by the fast way too", () => {
      expect(viaLibrary).toBeGreaterThan(1_100);
      expect(viaFast).toBeGreaterThan(250);
    });

    it("was run for each format that can be asserted", async () => {
      for (const format of Object.keys(FORMATS)) {
        const file = `${folder}/draft2020-12/optional/format/${format}.json`;
        for (const group of JSON.parse(readFileSync(file, "utf8")) as Group[]) {
          const type = await compileType({ schema: group.schema, assert_formats: true }, () => undefined);
          for (const { data, valid, description } of group.tests) {
            expect(type.check(data).ok, `${format}: ${description}`).toBe(valid);
          }
        }
      }
    });

    it("names only groups that are there", () => {
      for (const list of [REMOTE, UNFIT_DEFAULT]) {
        for (const [file, names] of Object.entries(list)) {
          const groups = JSON.parse(readFileSync(`${folder}/draft2020-12/${file}`, "utf8")) as Group[];
          expect(groups.map((group) => group.description)).toEqual(expect.arrayContaining([...names]));
        }
      }
    });
  });
}

/** Which texts are documents, and which files one may lead to. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { importing } from "./_import.test-util.ts";
import { openDocuments } from "./documents.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openapi-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("openDocuments()", () => {
  it.each([
    ["openapi: 3.0.4\npaths: {}", "3.0"],
    ['{"openapi":"3.1.1"}', "3.1"],
    ["{openapi: 3.1.0, info: {title: T}}", "3.1"],
    ["# a comment\n---\nopenapi: 3.1.0", "3.1"],
  ])("reads %j", (text, version) => {
    expect(openDocuments(text, "a")).toMatchObject({ version });
  });

  it.each([
    ["swagger: '2.0'", 'Cannot import "a": it must say openapi: 3.0.x or 3.1.x; it is "2.0"'],
    ["openapi: 3.2.0", 'Cannot import "a": it must say openapi: 3.0.x or 3.1.x; it is "3.2.0"'],
    ["openapi: 3.1", 'Cannot import "a": it must say openapi: 3.0.x or 3.1.x; it is 3.1'],
    ["a: b", 'Cannot import "a": it must say openapi: 3.0.x or 3.1.x; it says neither'],
    ["", 'Cannot read "a": it must be YAML or JSON with an object in it; it is not'],
    ["[]", 'Cannot read "a": it must be YAML or JSON with an object in it; it is not'],
    ["a: [", 'Cannot read "a": it must be YAML;'],
    ["{", 'Cannot read "a": it must be YAML;'],
  ])("refuses %j", (text, message) => {
    expect(() => openDocuments(text, "a")).toThrow(message);
  });
});

const document = (reference: string) => ({
  openapi: "3.1.0",
  paths: { "/a": { $ref: reference } },
  components: { parameters: { Q: { name: "q", in: "query", schema: { type: "integer" } } } },
});

describe("references to other files", () => {
  const inner = path.join(folder, "api");
  const source = path.join(inner, "openapi.yaml");
  mkdirSync(path.join(inner, "parts"), { recursive: true });
  writeFileSync(source, "openapi: 3.1.0\n");
  writeFileSync(path.join(folder, "secret.yaml"), "type: string\n");
  symlinkSync(path.join(folder, "secret.yaml"), path.join(inner, "link.yaml"));
  writeFileSync(
    path.join(inner, "parts", "paths.yaml"),
    `item:
  get:
    operationId: found
    parameters:
      - $ref: "../openapi.yaml#/components/parameters/Q"
    responses:
      "200":
        description: ""
        content:
          application/json:
            schema: { $ref: "types.json#/Tree~1Node" }
`,
  );
  writeFileSync(
    path.join(inner, "parts", "types.json"),
    JSON.stringify({ "Tree/Node": { type: "object", properties: { next: { $ref: "#/Tree~1Node" } } } }),
  );

  it("are followed within the document's folder, from file to file", async () => {
    const { operations, skipped } = await importing(document("parts/paths.yaml#/item"), { source, folder: inner });
    expect(skipped).toEqual([]);
    const node = { type: "object", properties: { next: { $ref: "#/$defs/Tree_Node" } } };
    expect(operations["found"]).toMatchObject({
      input_type: { properties: { q: { type: "integer" } } },
      output_type: { ...node, $defs: { Tree_Node: node } },
    });
  });

  it.each([
    ["../secret.yaml", "must lead to a file in the document's folder"],
    [path.join(folder, "secret.yaml"), "must lead to a file in the document's folder"],
    ["link.yaml", "must lead to a file in the document's folder"],
    ["parts/nothing.yaml", "there is none of that name"],
    ["%zz.yaml", "there is none of that name"],
    ["parts", "it is none"],
    ["file:///etc/hostname", "must lead to a file in the document's folder"],
    ["http://127.0.0.1:1/a.yaml", "must lead to a file in the document's folder"],
    ["parts/types.json#/none", "must lead somewhere; it does not"],
    ["parts/types.json#/%zz", "must be a URI reference"],
  ])("to %s are refused", async (reference, reason) => {
    const { skipped, operations } = await importing(document(reference), { source, folder: inner });
    expect(operations).toEqual({});
    expect(skipped).toEqual([expect.stringContaining(reason)]);
  });

  it("are refused to a document that has no folder", async () => {
    const { skipped } = await importing(document("parts/paths.yaml#/item"), {
      source: "http://127.0.0.1/openapi.yaml",
    });
    expect(skipped).toEqual([expect.stringContaining("must lead to a file in the document's folder")]);
  });
});

/** What else an operation has: its name, description, annotations and examples. */
import { describe, expect, it } from "vitest";
import { documentOf, importing, importOne, jsonBody, OK } from "./_import.test-util.ts";
import type { Json } from "./_obstacle.ts";
import { operationName } from "./names.ts";
import { serverOf } from "./server.ts";

describe("operationName()", () => {
  it.each([
    ["listAlbums", "get", "/albums", "", "list_albums"],
    ["list-albums", "get", "/albums", "", "list_albums"],
    ["Albums.List", "get", "/albums", "", "albums.list"],
    ["get:/registry/:kind", "get", "/x", "p_", "p_get_registry_kind"],
    [undefined, "get", "/albums/{album_id}", "", "get_albums_by_album_id"],
    [undefined, "post", "/", "", "post"],
    ["***", "delete", "/a/{id}/b.json", "x.", "x.delete_a_by_id_b.json"],
    [7, "get", "/a", "", "get_a"],
    ["a".repeat(129), "get", "/a", "", "get_a"],
  ])("%j of %s %s with %j is %s", (operationId, method, path, prefix, name) => {
    expect(operationName({ operationId, method, path }, prefix)).toBe(name);
  });

  it.each([
    ["a".repeat(100), "p".repeat(29)],
    ["a", "9_"],
    ["a", "P_"],
  ])("refuses %j with %j", (operationId, prefix) => {
    expect(() => operationName({ operationId, method: "get", path: "/" }, prefix)).toThrow(
      /its name must have at most 128/,
    );
  });

  it("says when two would be one", async () => {
    const get = { responses: OK };
    const paths = {
      "/a": { get: { ...get, operationId: "getPet" } },
      "/b": { get: { ...get, operationId: "get_pet" } },
    };
    const { operations, notes } = await importing({ openapi: "3.0.0", paths });
    expect(Object.keys(operations)).toEqual(["get_pet", "get_pet_2"]);
    expect(notes).toEqual(['GET /b: it is "get_pet_2" here: another is "get_pet" already']);
  });
});

describe("an operation", () => {
  it.each<[operation: Json, description: unknown]>([
    [{ summary: "Short." }, "Short."],
    [{ description: "Long.\n\nLonger." }, "Long.\n\nLonger."],
    [{ summary: "Short.", description: "Short. And long." }, "Short. And long."],
    [{ summary: "Short.", description: "Otherwise." }, "Short.\n\nOtherwise."],
    [{ summary: "Short.", deprecated: true }, "Deprecated. Short."],
    [{ summary: "x".repeat(5000) }, "x".repeat(4000)],
    [{}, undefined],
  ])("is described by %j", async (operation, description) => {
    expect((await importOne("GET /a", operation))["description"]).toBe(description);
  });

  it.each<[method: string, annotations: unknown]>([
    ["GET", { read_only: true }],
    ["HEAD", { read_only: true }],
    ["PUT", { idempotent: true }],
    ["DELETE", { idempotent: true, destructive: true }],
    ["POST", undefined],
    ["PATCH", undefined],
  ])("that is a %s has annotations %j", async (method, annotations) => {
    expect((await importOne(`${method} /a`, {}))["annotations"]).toEqual(annotations);
  });

  it("names its exposure, and its group if one is said", async () => {
    const document = documentOf("GET /a", {});
    expect((await importing(document)).operations["op"]).not.toHaveProperty("group");
    const { operations } = await importing(document, { exposure: "shop", group: "sales", prefix: "shop_" });
    expect(operations["shop_op"]).toMatchObject({ group: "sales", provided_by: { exposure: "shop" } });
  });
});

describe("its examples", () => {
  const POINT = {
    type: "object",
    properties: { x: { type: "integer" } },
    required: ["x"],
    additionalProperties: false,
  };
  const id = { name: "id", in: "path", required: true, schema: { type: "integer" } };
  const answer = (more: Json): Json => ({
    responses: { 200: { description: "", content: { "application/json": { schema: POINT, ...more } } } },
  });
  const body = (more: Json): Json => ({
    requestBody: { required: true, content: { "application/json": { schema: POINT, ...more } } },
  });

  it.each<[what: string, line: string, operation: Json, examples: unknown]>([
    [
      "the only one",
      "POST /a",
      { ...body({ example: { x: 1 } }), ...answer({ example: { x: 2 } }) },
      [{ input: { x: 1 }, output: { x: 2 } }],
    ],
    ["that of the schema", "POST /a", body({ schema: { ...POINT, example: { x: 1 } } }), [{ input: { x: 1 } }]],
    [
      "several, with what comes out of each",
      "POST /a",
      {
        ...body({
          examples: {
            one: { summary: "One", value: { x: 1 } },
            two: { value: { x: 2 } },
            far: { externalValue: "http://a" },
          },
        }),
        ...answer({ examples: { two: { value: { x: 22 } }, three: { value: { x: 3 } } } }),
      },
      [
        { summary: "One", input: { x: 1 } },
        { input: { x: 2 }, output: { x: 22 } },
      ],
    ],
    [
      "a parameter's",
      "GET /a/{id}",
      { parameters: [{ ...id, example: 7 }], ...answer({ example: { x: 2 } }) },
      [{ input: { id: 7 }, output: { x: 2 } }],
    ],
    [
      "a parameter's beside a body",
      "PUT /a/{id}",
      { parameters: [{ ...id, examples: { seven: { value: 7 } } }], ...body({ example: { x: 1 } }) },
      [{ input: { id: 7, x: 1 } }],
    ],
    [
      "none, where a parameter has none",
      "PUT /a/{id}",
      { parameters: [id], ...body({ example: { x: 1 } }) },
      undefined,
    ],
    ["none that does not fit", "POST /a", body({ examples: { a: { value: { x: "1" } }, b: { value: 7 } } }), undefined],
    [
      "no output that does not fit",
      "POST /a",
      { ...body({ example: { x: 1 } }), ...answer({ example: { y: 2 } }) },
      [{ input: { x: 1 } }],
    ],
    ["none of nothing", "GET /a", answer({ example: { x: 2 } }), undefined],
  ])("%s", async (_, line, operation, examples) => {
    expect(await importOne(line, operation)).toMatchObject({ skipped: [] });
    expect((await importOne(line, operation))["examples"]).toEqual(examples);
  });
});

describe("what no operation does", () => {
  it("is said: callbacks, servers of its own, webhooks, security", async () => {
    const security = {
      components: { securitySchemes: { key: { type: "apiKey", in: "header", name: "K" } } },
      security: [{ key: [] }],
    };
    const { notes } = await importing({
      ...documentOf("POST /a", { callbacks: { done: {} }, servers: [], ...jsonBody({ type: "object" }) }, security),
      webhooks: { w: {} },
    });
    expect(notes).toEqual([
      "POST /a: left out: its callbacks",
      "POST /a: left out: its own servers",
      'left out: security "key" (apiKey header) of POST /a; no credentials are sent',
      "left out: the webhooks of document",
    ]);
  });

  it.each([[{ security: [] }], [{ security: [{ key: [] }, {}] }]])(
    "is not said of who may come without: %j",
    async (operation) => {
      expect((await importOne("GET /a", operation, { security: [{ key: [] }] }))["notes"]).toEqual([]);
    },
  );
});

describe("the exposure", () => {
  const servers = [
    {
      url: "https://{place}.example.com/{version}/",
      variables: { place: { default: "eu" }, version: { default: "v2" } },
    },
  ];

  it("is made where its service is said, at the path of the server", async () => {
    const { manifests, notes } = await importing(
      { ...documentOf("GET /a", {}), servers },
      { service: "shop_1", exposure: "shop" },
    );
    expect(manifests[0]).toEqual({ kind: "exposure", name: "shop", service: "shop_1", base_path: "/v2" });
    expect(notes).toEqual([]);
  });

  it("must have that path where it is there already", async () => {
    const { manifests, notes } = await importing({ ...documentOf("GET /a", {}), servers });
    expect(manifests).toHaveLength(1);
    expect(notes).toEqual(['its server is at "/v2": the exposure "api" must have that as its base_path']);
  });

  it.each([
    [undefined, "", []],
    [[], "", []],
    [[{ url: "/" }], "", []],
    [[{ url: "https://example.com" }], "", []],
    [[{ url: "/api/" }], "/api", []],
    [[{ url: "http://a/x" }, { url: "http://b/x/" }], "/x", []],
    [
      [{ url: "http://a/x" }, { url: "http://b/y" }],
      "/x",
      ['its servers have different paths: the first counts, "/x"'],
    ],
    [[{ url: "http://:x" }], "", ['left out: its server "http://:x", which is no URL']],
  ])("of servers %j is at %j", (list, basePath, notes) => {
    expect(serverOf({ servers: list })).toEqual({ basePath, notes });
  });
});

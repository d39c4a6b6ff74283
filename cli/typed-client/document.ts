/**
 * Operations with their types, as /openapi.json tells them, and a digest of each: the same digest, the same types. All a
 * token that may read the registry can see; the platform's own only where that is asked for.
 */
import { canonicalJson, sha256 } from "../../src/core/hash.ts";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseAnswer, type Client } from "../client.ts";

export type Schema = boolean | Record<string, unknown>;

/** Which operations: of any of the groups, any of the names; none named: all. */
export type Selection = {
  groups: readonly string[];
  operations: readonly string[];
  /** The platform's own, too. */
  all: boolean;
};

export type TypedOperation = {
  name: string;
  description: string;
  isAsync: boolean;
  input: Schema;
  output: Schema;
  digest: string;
};

export type TypedOperations = {
  operations: readonly TypedOperation[];
  /** Of all of them. */
  digest: string;
  /** The codes that a problem can have. */
  codes: readonly string[];
  /** Where a `$ref` leads. */
  resolve: (reference: string) => Schema | undefined;
};

const BUILT_IN = "registry";
const COMPONENTS = "#/components/schemas/";

type Media = { content: { "application/json": { schema: Schema } } };
type Item = {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  "x-revision"?: number;
  "x-async"?: boolean;
  requestBody: Media;
  responses: { 200: Media };
};
type Document = {
  paths: Record<string, { post?: Item }>;
  components: { schemas: Record<string, Schema> };
};

/** `mayMiss`: a name that was asked for need not be there. */
export async function readOperations(
  client: Client,
  selection: Selection & { mayMiss?: boolean },
): Promise<TypedOperations> {
  const { groups } = selection;
  const [group] = groups;
  const query = groups.length === 1 && group !== undefined ? `?group=${encodeURIComponent(group)}` : "";
  const document = parseAnswer(await client.request("GET", `/openapi.json${query}`)) as Document;
  return typedOperations(document, selection);
}

export async function typedOperations(
  document: Document,
  selection: Selection & { mayMiss?: boolean },
): Promise<TypedOperations> {
  const { schemas } = document.components;
  const operations: TypedOperation[] = [];
  for (const [path, { post }] of Object.entries(document.paths)) {
    if (post?.["x-revision"] === undefined || path !== `/ops/${post.operationId}` || !isWanted(post, selection))
      continue;
    const types = {
      input: post.requestBody.content["application/json"].schema,
      output: post.responses[200].content["application/json"].schema,
    };
    const isAsync = post["x-async"] === true;
    const name = post.operationId;
    operations.push({
      name,
      description: post.description ?? (post.summary === name ? "" : post.summary),
      isAsync,
      ...types,
      digest: (
        await sha256(canonicalJson([isAsync, ...Object.values(types).map((type) => whole(type, schemas))]))
      ).slice(0, 16),
    });
  }
  operations.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (selection.mayMiss !== true) {
    checkNames(operations, selection);
    checkGroups(document, selection);
  }
  const digest = (await sha256(operations.map(({ name, digest }) => `${name} ${digest}\n`).join(""))).slice(0, 16);
  const codes = enumOf(schemas["Problem"], "code");
  return { operations, digest, codes, resolve: (reference) => follow(document, reference) };
}

function isWanted({ operationId, tags }: Item, { groups, operations, all }: Selection): boolean {
  if (operations.length > 0 && !operations.includes(operationId)) return false;
  const [group = ""] = tags;
  if (groups.length > 0) return groups.includes(group);
  return all || operations.length > 0 || group !== BUILT_IN;
}

function checkNames(found: readonly TypedOperation[], { operations }: Selection): void {
  const first = operations.find((name) => !found.some((operation) => operation.name === name));
  if (first === undefined) return;
  throw new SwitchyardError(
    "operation_not_found",
    `Cannot find the operation "${first}": it must be registered, active and of the groups that were named; it is not`,
  );
}

/** A file without operations says nothing about a group whose name was mistyped. */
function checkGroups({ paths }: Document, { groups }: Selection): void {
  const there = new Set(Object.values(paths).map(({ post }) => post?.tags[0]));
  const first = groups.find((group) => !there.has(group));
  if (first === undefined) return;
  throw new SwitchyardError(
    "operation_not_found",
    `Cannot find an operation of the group "${first}": one that is active must be in it; none is`,
    { hint: "opctl get operations -a name -a group" },
  );
}

/** A type that is a component is told by what stands there: its references lead only into itself. */
function whole(type: Schema, schemas: Readonly<Record<string, Schema>>): unknown {
  const text = JSON.stringify(type);
  const named = [...text.matchAll(/"#\/components\/schemas\/([^/"]+)"/g)].map((match) => match[1] ?? "");
  return [type, ...named.map((name) => schemas[name])];
}

function enumOf(schema: Schema | undefined, property: string): readonly string[] {
  const { properties = {} } = (typeof schema === "object" ? schema : {}) as {
    properties?: Record<string, { enum?: string[] }>;
  };
  return properties[property]?.enum ?? [];
}

function follow(document: Document, reference: string): Schema | undefined {
  if (!reference.startsWith(COMPONENTS)) return undefined;
  let at: unknown = document;
  for (const token of reference.slice(2).split("/")) {
    const key = decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return typeof at === "boolean" || (typeof at === "object" && at !== null) ? (at as Schema) : undefined;
}

/**
 * GET /openapi.json: OpenAPI 3.1 of this registry as it is now: the platform's own routes, each operation by name and at
 * its own path. Whole, or a page with `?limit=` and `?cursor=` (the next cursor stands in `x-next-cursor`). Its ETag is the
 * registry revision with all else that decides it, and what was written for one ETag is kept.
 */
import { sha256 } from "../../core/hash.ts";
import { NAME_PATTERN } from "../../model/names.ts";
import type { DescribeOptions } from "../../registry/describe.ts";
import { Lru } from "../../registry/lru.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RouteContext } from "../context.ts";
import { isKnown } from "../etags.ts";
import { documentText } from "../openapi/document.ts";
import { piecesOf } from "../openapi/pieces.ts";
import { integerOf, matching, queryOf } from "../parameters.ts";

const MAX_LIMIT = 1_000;
const encoder = new TextEncoder();

/** Documents by ETag. Of a large registry one or two, of small ones some more. */
const kept = new WeakMap<Registry, Lru<Uint8Array<ArrayBuffer>>>();

export async function openapi(context: RouteContext): Promise<Response> {
  const { platform, routes } = context.var;
  const { registry, version } = platform;
  const options = optionsOf(context);
  const server = new URL(context.req.url).origin;
  // Read first: a document may be newer than its ETag says, and then the next request writes it again.
  const revision = await registry.revision();
  const decided = await sha256(JSON.stringify([version, server, options.group, options.limit, options.cursor]));
  const etag = `"${revision}.${decided.slice(0, 16)}"`;
  const headers = { etag, "cache-control": "private, no-cache", "registry-revision": String(revision) };
  const known = context.req.header("if-none-match");
  if (known !== undefined && isKnown(etag, known)) return new Response(null, { status: 304, headers });
  const documents = documentsOf(registry);
  let document = documents.get(etag);
  if (document === undefined) {
    const { pieces, nextCursor } = await piecesOf(registry, options);
    const text = documentText(pieces, { version, server, nextCursor, routes });
    document = encoder.encode(text) as Uint8Array<ArrayBuffer>;
    documents.set(etag, document, document.byteLength);
  }
  return new Response(document, { headers: { ...headers, "content-type": "application/json" } });
}

function optionsOf(context: RouteContext): DescribeOptions {
  const { limit, group, cursor } = queryOf(context, ["limit", "group", "cursor"]);
  return {
    ...(limit === undefined ? {} : { limit: integerOf(limit, "limit", { min: 1, max: MAX_LIMIT }) }),
    ...(group === undefined ? {} : { group: nameOf(group, "group") }),
    ...(cursor === undefined ? {} : { cursor: nameOf(cursor, "cursor") }),
  };
}

function nameOf(text: string, parameter: string): string {
  return matching(text, parameter, { pattern: NAME_PATTERN, rule: "be a name" });
}

function documentsOf(registry: Registry): Lru<Uint8Array<ArrayBuffer>> {
  let documents = kept.get(registry);
  if (documents === undefined) {
    documents = new Lru({ maxEntries: 16, maxBytes: 32 * 1024 * 1024 });
    kept.set(registry, documents);
  }
  return documents;
}

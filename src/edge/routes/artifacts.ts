/** Stored results: GET /artifacts lists them, GET /artifacts/:id answers the bytes to whoever may read the execution. */
import { SwitchyardError } from "../../core/errors.ts";
import type { ArtifactView } from "../../model/execution.ts";
import { allows } from "../../model/principal.ts";
import type { RouteContext } from "../context.ts";
import { matching, operationNameOf, queryOf } from "../parameters.ts";
import { idOf, mayRead } from "./_access.ts";
import { executionIdOf, limitOf } from "./executions.ts";

const SHA256 = { pattern: /^[0-9a-f]{64}$/, rule: "be a SHA-256 in lower-case hex" };

export async function listArtifacts(context: RouteContext): Promise<Response> {
  const query = queryOf(context, ["execution", "operation", "sha256", "limit", "cursor"] as const);
  const { execution, operation, sha256, cursor } = query;
  const page = await context.var.platform.artifacts.list({
    ...(execution === undefined ? {} : { execution: executionIdOf(execution, "execution") }),
    ...(operation === undefined ? {} : { operation: operationNameOf(operation, "operation") }),
    ...(sha256 === undefined ? {} : { sha256: matching(sha256, "sha256", SHA256) }),
    ...(cursor === undefined ? {} : { cursor }),
    limit: limitOf(query.limit),
  });
  return Response.json(page, { headers: { "cache-control": "no-store" } });
}

/** What is stored under an id never changes, so a copy that a client has is good as long as the artifact is there. */
export async function getArtifact(context: RouteContext): Promise<Response> {
  const id = idOf(context);
  const { artifacts } = context.var.platform;
  const known = await artifacts.find(id);
  if (known === undefined || !(await mayReadArtifact(context, known))) throw unknownArtifact(id);
  if (isKnown(context.req.header("if-none-match"), known.sha256)) {
    return new Response(null, { status: 304, headers: headersOf(known) });
  }
  const read = await artifacts.read(id);
  if (read === undefined) throw unknownArtifact(id);
  return new Response(ofLength(read.body, read.view.size_bytes), {
    headers: { ...headersOf(read.view), "content-length": String(read.view.size_bytes) },
  });
}

async function mayReadArtifact(context: RouteContext, { execution_id }: ArtifactView): Promise<boolean> {
  if (allows(context.var.identity.principal, "registry:read")) return true;
  const view = await context.var.platform.executions.find(execution_id);
  return view !== undefined && mayRead(context, view);
}

/** Handlers choose the media type, so a browser must neither guess another nor run what it is shown. */
function headersOf(view: ArtifactView): Record<string, string> {
  return {
    "content-type": view.content_type,
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(view.name).replaceAll(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)}`,
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-cache",
    etag: `"${view.sha256}"`,
  };
}

function isKnown(header: string | undefined, sha256: string): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags?.some((tag) => tag === "*" || tag === `"${sha256}"`) ?? false;
}

type Through = new (length: number) => { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };

/** workerd sends a stream with its length only if the stream itself is of one; elsewhere the header is enough. */
function ofLength(body: ReadableStream<Uint8Array>, length: number): ReadableStream<Uint8Array> {
  const { FixedLengthStream } = globalThis as { FixedLengthStream?: Through };
  return FixedLengthStream === undefined ? body : body.pipeThrough(new FixedLengthStream(length));
}

function unknownArtifact(id: string): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot find the artifact "${id.slice(0, 100)}": there is none of that id, it is no longer kept, or it is another principal's`,
  );
}

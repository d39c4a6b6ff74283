/** The registry's routes, as the commands use them. An entry is kept with the ETag that it was read under. */
import { SwitchyardError } from "../src/core/errors.ts";
import type { Kind } from "../src/model/entities.ts";
import type { Meta } from "../src/model/view.ts";
import { parseAnswer, type Answer, type Client } from "./client.ts";
import { KIND_WORDS } from "./kinds.ts";

export type JsonObject = Record<string, unknown>;
export type Entry = JsonObject & { name: string; meta: Meta };
export type Read = { entry: Entry; etag: string };

/** How many entries one request asks for; a listing goes on until there are no more. */
const PAGE = 500;

function routeOf(kind: Kind, name?: string): string {
  return `/registry/${KIND_WORDS[kind].plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

function toRead(answer: Answer): Read {
  const entry = parseAnswer(answer) as Entry;
  return { entry, etag: answer.headers.get("etag") ?? `"${entry.meta.digest}"` };
}

export async function readEntry(client: Client, kind: Kind, name: string, revision?: number): Promise<Read> {
  const query = revision === undefined ? "" : `?revision=${revision}`;
  return toRead(await client.request("GET", routeOf(kind, name) + query));
}

export async function findEntry(client: Client, kind: Kind, name: string): Promise<Read | undefined> {
  try {
    return toRead(await client.request("GET", routeOf(kind, name)));
  } catch (error) {
    if (error instanceof SwitchyardError && error.code === "entity_not_found") return undefined;
    throw error;
  }
}

export async function* listEntries(
  client: Client,
  kind: Kind,
  options: { filter?: JsonObject; limit?: number } = {},
): AsyncGenerator<Entry> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let cursor: string | null | undefined;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, left)) });
    if (options.filter !== undefined) query.set("filter", JSON.stringify(options.filter));
    if (cursor != null) query.set("cursor", cursor);
    const page = parseAnswer(await client.request("GET", `${routeOf(kind)}?${query.toString()}`)) as {
      items: Entry[];
      next_cursor?: string | null;
    };
    for (const entry of page.items) {
      yield entry;
      if (--left <= 0) return;
    }
    cursor = page.next_cursor;
  } while (cursor != null);
}

/** Creates it; `entity_exists` when the name is taken. */
export async function createEntry(client: Client, kind: Kind, manifest: JsonObject): Promise<Read> {
  const name = nameOf(manifest);
  try {
    return await write(client, "PUT", routeOf(kind, name), manifest, { "if-none-match": "*" });
  } catch (error) {
    if (!(error instanceof SwitchyardError) || error.code !== "precondition_failed") throw error;
    throw new SwitchyardError(
      "entity_exists",
      `Cannot create the ${kind} "${name}": the name must be free; it is taken`,
      {
        hint: `opctl edit ${kind} ${name} changes it; opctl describe ${kind} ${name} shows it.`,
        cause: error,
      },
    );
  }
}

/** Writes it whole. With an ETag, only over the entry that had it. */
export async function replaceEntry(client: Client, kind: Kind, manifest: JsonObject, etag?: string): Promise<Read> {
  return write(
    client,
    "PUT",
    routeOf(kind, nameOf(manifest)),
    manifest,
    etag === undefined ? {} : { "if-match": etag },
  );
}

export async function patchEntry(
  client: Client,
  kind: Kind,
  name: string,
  patch: JsonObject,
  etag: string,
): Promise<Read> {
  return write(client, "PATCH", routeOf(kind, name), patch, {
    "if-match": etag,
    "content-type": "application/merge-patch+json",
  });
}

export async function duplicateEntry(client: Client, kind: Kind, name: string, overrides: JsonObject): Promise<Read> {
  return write(client, "POST", `${routeOf(kind, name)}/duplicate`, overrides);
}

export async function rollbackEntry(client: Client, kind: Kind, name: string, to: number): Promise<Read> {
  return write(client, "POST", `${routeOf(kind, name)}/rollback`, { to });
}

/** With an ETag, only the entry that had it. */
export async function deleteEntry(client: Client, kind: Kind, name: string, etag?: string): Promise<void> {
  await client.request("DELETE", routeOf(kind, name), { headers: etag === undefined ? {} : { "if-match": etag } });
}

export type Revision = Pick<Meta, "revision" | "digest" | "updated_at" | "updated_by">;

/** Newest first, at most `limit` of them. */
export async function listRevisions(client: Client, kind: Kind, name: string, limit: number): Promise<Revision[]> {
  const answer = await client.request("GET", `${routeOf(kind, name)}/revisions?limit=${limit}`);
  return (parseAnswer(answer) as { items: Entry[] }).items.map(({ meta }) => meta);
}

async function write(
  client: Client,
  method: string,
  route: string,
  body: JsonObject,
  headers: Record<string, string> = {},
): Promise<Read> {
  return toRead(await client.request(method, route, { body: JSON.stringify(body), headers }));
}

function nameOf(manifest: JsonObject): string {
  if (typeof manifest["name"] === "string" && manifest["name"] !== "") return manifest["name"];
  throw new SwitchyardError("usage", "Cannot write an entry: it must have a name; it has none", {
    hint: "Give one with -s name=…, or as `name:` in the manifest.",
  });
}

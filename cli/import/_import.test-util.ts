/** A document as a test writes it → what is made of it. */
import type { Json } from "./_obstacle.ts";
import { openDocuments } from "./documents.ts";
import { importOpenApi, type ImportOptions, type Imported } from "./import-openapi.ts";

export type Operations = Omit<Imported, "manifests"> & { manifests: Json[]; operations: Record<string, Json> };

/** `folder`: where the files are that it refers to. */
export async function importing(
  document: Json,
  options: Partial<ImportOptions> & { source?: string; folder?: string } = {},
): Promise<Operations> {
  const { source = "document", folder, ...more } = options;
  const documents = openDocuments(JSON.stringify(document), source, folder);
  const imported = await importOpenApi(documents, { exposure: "api", prefix: "", ...more });
  const operations = imported.manifests.filter(({ kind }) => kind === "operation");
  return { ...imported, operations: Object.fromEntries(operations.map((each) => [each["name"] as string, each])) };
}

export const OK = { 204: { description: "done" } };

/** `GET /a` with that operation; components beside it. */
export function documentOf(line: string, operation: Json, more: Json = {}): Json {
  const [method = "", path = ""] = line.split(" ");
  const paths = { [path]: { [method.toLowerCase()]: { operationId: "op", responses: OK, ...operation } } };
  return { openapi: "3.1.0", info: { title: "T", version: "1" }, paths, ...more };
}

/** The one operation of documentOf(), or why there is none. */
export async function importOne(line: string, operation: Json, more: Json = {}): Promise<Json> {
  const { operations, skipped, notes } = await importing(documentOf(line, operation, more));
  return { ...operations["op"], skipped, notes };
}

export const jsonBody = (schema: unknown, more: Json = { required: true }): Json => ({
  requestBody: { content: { "application/json": { schema } }, ...more },
});

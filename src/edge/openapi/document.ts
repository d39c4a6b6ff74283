/** Pieces of operations, put together as one OpenAPI 3.1 document. As text: with many operations nothing is built twice. */
import { restPathOf, parametersOf, shapeOf } from "../../model/rest-path.ts";
import type { Route } from "../context.ts";
import { RESPONSES, routeItems, SCHEMAS, SECURITY } from "./frame.ts";
import type { Piece } from "./operation-item.ts";
import type { Json } from "./schemas.ts";

export type DocumentOptions = { version: string; server: string; nextCursor: string | null; routes: readonly Route[] };

export function documentText(pieces: readonly Piece[], options: DocumentOptions): string {
  const head = {
    openapi: "3.1.1",
    info: {
      title: "Switchyard",
      version: options.version,
      summary: "Operations of this registry, and the platform's own routes.",
    },
    servers: [{ url: options.server }],
    security: [{ token: [] }],
    ...(options.nextCursor === null ? {} : { "x-next-cursor": options.nextCursor }),
  };
  const paths = [
    membersOf(routeItems(options.routes)),
    ...pieces.map(({ name, item }) => `"/ops/${name}":${item}`),
    ...itemsAtPaths(pieces),
  ];
  const schemas = [membersOf(SCHEMAS), ...pieces.map(({ components }) => components).filter((text) => text !== "")];
  const rest = { securitySchemes: SECURITY, responses: RESPONSES };
  return `{${membersOf(head)},"paths":{${paths.join(",")}},"components":{${membersOf(rest)},"schemas":{${schemas.join(",")}}}}`;
}

function membersOf(value: Json): string {
  return JSON.stringify(value).slice(1, -1);
}

/**
 * One item for each path, whatever operations answer its methods. Paths that differ only in the names of their parameters
 * are one path there, so those of the first hold for all: these names say nothing to who calls.
 */
function itemsAtPaths(pieces: readonly Piece[]): string[] {
  const items = new Map<string, { path: string; names: string[]; methods: string[] }>();
  for (const { atPath } of pieces) {
    if (atPath === undefined) continue;
    const parsed = restPathOf(`GET ${atPath.path}`);
    const names = parametersOf(parsed);
    const known = items.get(shapeOf(parsed)) ?? { path: atPath.path, names, methods: [] };
    items.set(shapeOf(parsed), known);
    const isSame = known.path === atPath.path;
    known.methods.push(`"${atPath.method}":${isSame ? atPath.item : renamed(atPath.item, names, known.names)}`);
  }
  return [...items.values()].map(({ path, methods }) => `${JSON.stringify(path)}:{${methods.join(",")}}`);
}

function renamed(text: string, names: readonly string[], others: readonly string[]): string {
  const item = JSON.parse(text) as { parameters: { name: string; in: string }[] };
  const parameters = item.parameters.map((parameter) => {
    if (parameter.in !== "path") return parameter;
    return Object.assign(parameter, { name: others[names.indexOf(parameter.name)] ?? parameter.name });
  });
  return JSON.stringify({ ...item, parameters });
}

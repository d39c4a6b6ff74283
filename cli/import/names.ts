/** Names of operations: what the document calls them, in snake_case; else made of method and path. Pure. */
import { NAME_PATTERN } from "../../src/model/names.ts";
import { snakeCase } from "../build/snake-case.ts";
import { Obstacle } from "./_obstacle.ts";

/** `GET /albums/{album_id}` → `get_albums_by_album_id`. Throws Obstacle for a name that the registry has no room for. */
export function operationName(
  { operationId, method, path }: { operationId: unknown; method: string; path: string },
  prefix: string,
): string {
  const said = typeof operationId === "string" ? snakeCase(operationId) : undefined;
  const made = `${method} ${path}`.replaceAll(/\{([^{}]*)\}/g, "by_$1");
  const name = `${prefix}${said ?? snakeCase(made) ?? method.toLowerCase()}`;
  if (NAME_PATTERN.test(name)) return name;
  throw new Obstacle(
    `its name must have at most 128 of a-z 0-9 _ . -, a letter first; it would be "${name.slice(0, 140)}"`,
  );
}

/** The name, or the first of `name_2`, `name_3` that is free. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let n = 2, free = name; ; n++) {
    if (!taken.has(free)) return free;
    free = `${name}_${n}`;
  }
}

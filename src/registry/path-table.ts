/**
 * All paths of operations as a tree of segments, one tree a method. A segment that is written out goes before a
 * parameter, from the left; where that leads nowhere, the parameter is tried.
 */
import { REST_METHODS, type RestMethod, type RestPath } from "../model/rest-path.ts";

type Node = { literals: Map<string, Node>; parameter: Node | undefined; leaf: Leaf | undefined };
type Leaf = { operation: string; route: string; parameters: readonly string[] };

export type PathMatch = {
  operation: string;
  /** The path as it is stored: `/people/{person_id}`. */
  route: string;
  /** The parameters of the path with their texts, decoded. */
  parameters: ReadonlyMap<string, string>;
};

export class PathTable {
  readonly #roots = new Map<RestMethod, Node>(REST_METHODS.map((method) => [method, emptyNode()]));
  readonly #paths = new Map<string, RestPath>();

  /** The operation's path from now on; undefined: it has none. */
  set(operation: string, path: RestPath | undefined): void {
    const before = this.#paths.get(operation);
    if (before !== undefined) {
      // By the time it is taken away, another operation may have that path.
      const node = this.#at(before);
      if (node.leaf?.operation === operation) node.leaf = undefined;
      this.#paths.delete(operation);
    }
    if (path === undefined) return;
    const parameters = path.segments.flatMap((segment) => ("parameter" in segment ? [segment.parameter] : []));
    const texts = path.segments.map((segment) => ("parameter" in segment ? `{${segment.parameter}}` : segment.literal));
    this.#at(path).leaf = { operation, route: `/${texts.join("/")}`, parameters };
    this.#paths.set(operation, path);
  }

  /** `segments`: of the request's path, decoded. */
  match(method: RestMethod, segments: readonly string[]): PathMatch | undefined {
    const texts: string[] = [];
    const leaf = find(this.#roots.get(method) ?? emptyNode(), segments, texts);
    if (leaf === undefined) return undefined;
    return {
      operation: leaf.operation,
      route: leaf.route,
      parameters: new Map(leaf.parameters.map((name, place) => [name, texts[place] ?? ""])),
    };
  }

  methods(segments: readonly string[]): RestMethod[] {
    return REST_METHODS.filter((method) => this.match(method, segments) !== undefined);
  }

  #at({ method, segments }: RestPath): Node {
    let node = this.#roots.get(method) ?? emptyNode();
    for (const segment of segments) {
      if ("parameter" in segment) node = node.parameter ??= emptyNode();
      else {
        const next = node.literals.get(segment.literal) ?? emptyNode();
        node.literals.set(segment.literal, next);
        node = next;
      }
    }
    return node;
  }
}

/** Leaves the texts of the parameters on the way in `texts`. */
function find(node: Node, segments: readonly string[], texts: string[]): Leaf | undefined {
  const [segment, ...rest] = segments;
  if (segment === undefined) return node.leaf;
  const literal = node.literals.get(segment);
  const written = literal === undefined ? undefined : find(literal, rest, texts);
  // A parameter is something: an empty segment is none, so /people/ is not /people/{person_id}.
  if (written !== undefined || node.parameter === undefined || segment === "") return written;
  texts.push(segment);
  const named = find(node.parameter, rest, texts);
  if (named === undefined) texts.pop();
  return named;
}

function emptyNode(): Node {
  return { literals: new Map(), parameter: undefined, leaf: undefined };
}

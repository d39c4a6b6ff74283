/** Goals that cannot meet are planned apart: two are together when what serves the one may touch what serves the other. */
import type { Path } from "./json.ts";

type Node = { readonly children: Map<string, Node>; readonly owners: number[] };
const newNode = (): Node => ({ children: new Map(), owners: [] });

/** The groups, as indexes into `footprints`, each in rising order; the groups in the order of their first. */
export function partition(footprints: readonly (readonly Path[])[]): number[][] {
  const parents = footprints.map((_, at) => at);
  const rootOf = (at: number): number => {
    let root = at;
    while (parents[root] !== root) root = parents[root] as number;
    for (let next = at; next !== root;) [parents[next], next] = [root, parents[next] as number];
    return root;
  };
  const join = (a: number, b: number): void => {
    const [one, other] = [rootOf(a), rootOf(b)];
    parents[Math.max(one, other)] = Math.min(one, other);
  };
  const trie = newNode();
  for (const [at, paths] of footprints.entries()) {
    for (const path of paths) {
      let node = trie;
      for (const part of path) {
        const next = node.children.get(part) ?? newNode();
        node.children.set(part, next);
        node = next;
      }
      node.owners.push(at);
    }
  }
  joinBelow(trie, undefined, join);
  const groups = Map.groupBy(footprints.keys(), rootOf);
  return [...groups.values()];
}

/** Whoever owns a place meets all who own one inside it. */
function joinBelow(node: Node, above: number | undefined, join: (a: number, b: number) => void): void {
  let owner = above;
  for (const each of node.owners) {
    if (owner !== undefined) join(owner, each);
    owner ??= each;
  }
  for (const child of node.children.values()) joinBelow(child, owner, join);
}

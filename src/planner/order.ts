/**
 * Steps in a line → a DAG. Of two steps the later waits for the earlier only if one writes what the other reads or writes, or
 * a compound job says so; all else may run at once. What follows from other arrows is left out.
 */
import type { Applied } from "./apply.ts";
import { readsOf } from "./job.ts";
import type { Path } from "./json.ts";

type Node = { readonly children: Map<string, Node>; writer: number | undefined; readers: number[] };
const newNode = (): Node => ({ children: new Map(), writer: undefined, readers: [] });

export function readPaths({ instance }: Applied): Path[] {
  return [instance.path, ...readsOf(instance)];
}

/** For each step those that it waits for, by their place in the line, in rising order. */
export function needsOf(steps: readonly Applied[]): number[][] {
  const root = newNode();
  const lasts = lastParts(steps);
  const direct = steps.map((step, at) => {
    const before = new Set<number>(lasts[at]);
    for (const path of readPaths(step)) for (const writer of writersAround(root, path)) before.add(writer);
    for (const { path } of step.changes) for (const user of usersAround(root, path)) before.add(user);
    for (const path of readPaths(step)) nodeAt(root, path).readers.push(at);
    for (const { path } of step.changes) {
      const node = nodeAt(root, path);
      node.writer = at;
      node.readers = [];
    }
    before.delete(at);
    return before;
  });
  return reduce(direct);
}

function nodeAt(root: Node, path: Path): Node {
  let node = root;
  for (const part of path) {
    const next = node.children.get(part) ?? newNode();
    node.children.set(part, next);
    node = next;
  }
  return node;
}

/** All nodes on the way to a path, the path's own, and all below it. */
function* around(root: Node, path: Path): Generator<Node> {
  let node: Node | undefined = root;
  for (const part of path) {
    yield node;
    node = node.children.get(part);
    if (node === undefined) return;
  }
  yield* below(node);
}

function* below(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children.values()) yield* below(child);
}

function* writersAround(root: Node, path: Path): Generator<number> {
  for (const { writer } of around(root, path)) if (writer !== undefined) yield writer;
}

function* usersAround(root: Node, path: Path): Generator<number> {
  for (const { writer, readers } of around(root, path)) {
    if (writer !== undefined) yield writer;
    yield* readers;
  }
}

/** In an ordered compound job: the steps of the part before, for each step. */
function lastParts(steps: readonly Applied[]): number[][] {
  const groups = new Map<number, Map<number, number[]>>();
  for (const [at, { parts }] of steps.entries()) {
    for (const { id, index, ordered } of parts) {
      if (!ordered) continue;
      const group = groups.get(id) ?? new Map<number, number[]>();
      groups.set(id, group);
      const members = group.get(index) ?? [];
      group.set(index, members);
      members.push(at);
    }
  }
  return steps.map(({ parts }) =>
    parts.flatMap(({ id, index, ordered }) => {
      if (!ordered) return [];
      const before = [...(groups.get(id)?.entries() ?? [])].findLast(([other]) => other < index);
      return before?.[1] ?? [];
    }),
  );
}

/** Above so many steps the table of who comes before whom would be large, and arrows that follow from others stay. */
const MOST = 8_192;

function reduce(direct: readonly ReadonlySet<number>[]): number[][] {
  if (direct.length > MOST) return direct.map((before) => [...before].toSorted((a, b) => a - b));
  const words = Math.ceil(direct.length / 32);
  const above: Uint32Array[] = [];
  return direct.map((before, at) => {
    const own = new Uint32Array(words);
    above[at] = own;
    const kept: number[] = [];
    for (const other of [...before].toSorted((a, b) => b - a)) {
      if (((own[other >> 5] as number) >>> (other & 31)) & 1) continue;
      kept.push(other);
      const inherited = above[other] as Uint32Array;
      for (let word = 0; word < words; word++) own[word] = (own[word] as number) | (inherited[word] as number);
      own[other >> 5] = (own[other >> 5] as number) | (1 << (other & 31));
    }
    return kept.toReversed();
  });
}

/** Steps on the longest way through. */
export function makespanOf(needs: readonly (readonly number[])[]): number {
  const ends: number[] = [];
  for (const before of needs) ends.push(1 + Math.max(0, ...before.map((at) => ends[at] as number)));
  return Math.max(0, ...ends);
}

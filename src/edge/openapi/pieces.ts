/** The pieces of operations, kept by digest: after an edit only what changed is read and written anew. */
import { Lru } from "../../registry/lru.ts";
import type { Described, DescribeOptions } from "../../registry/describe.ts";
import type { Registry } from "../../registry/registry.ts";
import { pieceOf, type Piece } from "./operation-item.ts";

/** How many operations one query reads. */
const AT_ONCE = 1_000;

type Pieces = { pieces: Piece[]; nextCursor: string | null };

const kept = new WeakMap<Registry, Lru<Piece>>();

/** In the order of their names. */
export async function piecesOf(registry: Registry, options: DescribeOptions): Promise<Pieces> {
  let cache = kept.get(registry);
  if (cache === undefined) {
    cache = new Lru({ maxEntries: 50_000, maxBytes: 32 * 1024 * 1024 });
    kept.set(registry, cache);
  }
  return cache.size === 0 && options.limit === undefined
    ? readAll(registry, cache, options)
    : readMissing(registry, cache, options);
}

/** The first time, to ask what there is would be to ask for everything twice. */
async function readAll(registry: Registry, cache: Lru<Piece>, options: DescribeOptions): Promise<Pieces> {
  const pieces: Piece[] = [];
  const read = (after: Pick<DescribeOptions, "cursor">): Promise<Described[]> =>
    registry.describeOperations({ ...options, ...after, limit: AT_ONCE });
  for (let next: Promise<Described[]> | undefined = read({}); next !== undefined;) {
    const described: Described[] = await next;
    const last = described.at(-1);
    // The registry reads the next while these are written.
    next = described.length < AT_ONCE || last === undefined ? undefined : read({ cursor: last.operation.name });
    for (const each of described) pieces.push(keep(cache, each));
  }
  return { pieces, nextCursor: null };
}

async function readMissing(registry: Registry, cache: Lru<Piece>, options: DescribeOptions): Promise<Pieces> {
  const { operations, nextCursor } = await registry.listDigests(options);
  const found = new Map<string, Piece>();
  const missing: string[] = [];
  for (const { name, digest } of operations) {
    const piece = cache.get(`${name} ${digest}`);
    if (piece === undefined) missing.push(name);
    else found.set(name, piece);
  }
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    const described = await registry.describeOperations({ names: missing.slice(at, at + AT_ONCE) });
    for (const each of described) found.set(each.operation.name, keep(cache, each));
  }
  // One that was deleted in between is in neither.
  return { pieces: operations.flatMap(({ name }) => found.get(name) ?? []), nextCursor };
}

function keep(cache: Lru<Piece>, { digest, operation }: Described): Piece {
  const piece = pieceOf(operation);
  const { name, components, item, atPath } = piece;
  const size = 300 + name.length + components.length + item.length + (atPath?.item.length ?? 0);
  cache.set(`${name} ${digest}`, piece, size);
  return piece;
}

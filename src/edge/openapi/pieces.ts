/** The pieces of operations, kept by digest: after an edit only what changed is read and written anew. */
import type { Described, Wanted } from "../../registry/describe.ts";
import type { Registry } from "../../registry/registry.ts";
import { Lru } from "../../registry/lru.ts";
import { pieceOf, type Piece } from "./operation-item.ts";

/** How many operations one query reads. */
const AT_ONCE = 1_000;

const kept = new WeakMap<Registry, Lru<Piece>>();

export async function piecesOf(
  registry: Registry,
  wanted: readonly { name: string; digest: string }[],
): Promise<Piece[]> {
  let cache = kept.get(registry);
  if (cache === undefined) {
    cache = new Lru({ maxEntries: 50_000, maxBytes: 32 * 1024 * 1024 });
    kept.set(registry, cache);
  }
  const found = new Map<string, Piece>();
  const missing: Missing[] = [];
  for (const [place, { name, digest }] of wanted.entries()) {
    const piece = cache.get(`${name} ${digest}`);
    if (piece === undefined) missing.push({ name, place });
    else found.set(name, piece);
  }
  const read = (at: number): Promise<Described[]> =>
    at < missing.length
      ? registry.describeOperations(together(missing.slice(at, at + AT_ONCE)))
      : Promise.resolve<Described[]>([]);
  let next = read(0);
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    const described = await next;
    // The registry reads the next while these are written.
    next = read(at + AT_ONCE);
    for (const { digest, operation } of described) {
      const piece = pieceOf(operation);
      found.set(operation.name, piece);
      cache.set(`${operation.name} ${digest}`, piece, sizeOf(piece));
    }
  }
  // One that was deleted in between is in neither.
  return wanted.flatMap(({ name }) => found.get(name) ?? []);
}

type Missing = { name: string; place: number };

/** Neighbours are read as a range, which is quicker than each by its name. */
function together(missing: readonly Missing[]): Wanted {
  const [first, last] = [missing[0], missing.at(-1)];
  if (first === undefined || last === undefined || last.place - first.place !== missing.length - 1) {
    return { names: missing.map(({ name }) => name) };
  }
  return { from: first.name, to: last.name };
}

function sizeOf({ name, components, item, atPath }: Piece): number {
  return 300 + name.length + components.length + item.length + (atPath?.item.length ?? 0);
}

/** Cuts a list into runs whose sizes add up to at most `most`. What is larger by itself is a run by itself. */
export function* inPieces<T>(items: Iterable<T>, sizeOf: (item: T) => number, most: number): Generator<T[]> {
  let piece: T[] = [];
  let size = 0;
  for (const item of items) {
    const own = sizeOf(item);
    if (size + own > most && piece.length > 0) {
      yield piece;
      piece = [];
      size = 0;
    }
    piece.push(item);
    size += own;
  }
  if (piece.length > 0) yield piece;
}

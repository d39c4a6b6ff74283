/** A queue by rank: a binary heap. Of equals the one that came first. */
export class Queue<T> {
  readonly #precedes: (a: T, b: T) => boolean;
  readonly #items: T[] = [];

  constructor(precedes: (a: T, b: T) => boolean) {
    this.#precedes = precedes;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above] as T;
      if (!this.#precedes(item, parent)) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= items.length) break;
      const right = left + 1;
      const child = right < items.length && this.#precedes(items[right] as T, items[left] as T) ? right : left;
      if (!this.#precedes(items[child] as T, last)) break;
      items[at] = items[child] as T;
      at = child;
    }
    items[at] = last;
    return first;
  }
}

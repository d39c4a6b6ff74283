/**
 * Which operations run in a process of their own, because they were running when a process died. The dedicated slots are
 * few: a new suspect takes a free one, else the one whose suspects have been quiet longest. A suspect never goes back
 * among the others before it is cleared, so where there are more suspects than slots they share.
 */
export class Suspects {
  readonly #slots: readonly number[];
  readonly #placed = new Map<string, number>();
  readonly #usedAtMs = new Map<number, number>();

  constructor(slots: readonly number[]) {
    this.#slots = slots;
  }

  /** The slot the operation runs in from now on, or undefined when there are no dedicated slots. */
  accuse(operation: string, nowMs: number): number | undefined {
    const placed = this.#placed.get(operation);
    const taken = new Set(this.#placed.values());
    const slot =
      placed ??
      this.#slots.find((each) => !taken.has(each)) ??
      this.#slots.toSorted((a, b) => (this.#usedAtMs.get(a) ?? 0) - (this.#usedAtMs.get(b) ?? 0))[0];
    if (slot === undefined) return undefined;
    this.#placed.set(operation, slot);
    this.#usedAtMs.set(slot, nowMs);
    return slot;
  }

  clear(operation: string): void {
    this.#placed.delete(operation);
  }

  isUsed(slot: number): boolean {
    return [...this.#placed.values()].includes(slot);
  }

  placements(): Record<string, number> {
    return Object.fromEntries(this.#placed);
  }
}

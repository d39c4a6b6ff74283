/**
 * Which operations run in a dedicated slot, because they were running when a process stalled or died. Who was guilty
 * shows by repetition: an operation that was there twice is taken for a killer.
 *
 * - Nobody shares a slot with a killer, except other killers where there are more of them than slots.
 * - Other suspects take a free slot, or share one; where killers hold every slot, they go back among the rest.
 */
type Suspect = { slot: number | undefined; kills: number };

/** Remembered at most; the longest quiet is forgotten first. */
const MOST = 1_000;

const KILLER_AT = 2;

export class Suspects {
  readonly #slots: readonly number[];
  readonly #suspects = new Map<string, Suspect>();

  constructor(slots: readonly number[]) {
    this.#slots = slots;
  }

  /** `killed`: the process was lost, not merely slow. The slots that are in use from now on must be started. */
  accuse(operation: string, options: { killed: boolean }): void {
    const known = this.#suspects.get(operation);
    const kills = (known?.kills ?? 0) + (options.killed ? 1 : 0);
    this.#suspects.delete(operation);
    const slot = kills < KILLER_AT ? (known?.slot ?? this.#slotForSuspect()) : this.#slotForKiller(known?.slot);
    this.#suspects.set(operation, { slot, kills });
    if (kills >= KILLER_AT && slot !== undefined) this.#moveAwayFrom(slot);
    const [oldest] = this.#suspects.keys();
    if (this.#suspects.size > MOST && oldest !== undefined) this.#suspects.delete(oldest);
  }

  clear(operation: string): void {
    this.#suspects.delete(operation);
  }

  /** The stall was over by itself: who is suspected of nothing else goes back. */
  acquit(operations: Iterable<string>): void {
    for (const operation of operations)
      if (this.#suspects.get(operation)?.kills === 0) this.#suspects.delete(operation);
  }

  isUsed(slot: number): boolean {
    return this.#in(slot).length > 0;
  }

  placements(): Record<string, number> {
    const placed: Record<string, number> = {};
    for (const [operation, { slot }] of this.#suspects) if (slot !== undefined) placed[operation] = slot;
    return placed;
  }

  #in(slot: number): Suspect[] {
    return [...this.#suspects.values()].filter((each) => each.slot === slot);
  }

  #killersIn(slot: number): number {
    return this.#in(slot).filter((each) => each.kills >= KILLER_AT).length;
  }

  #slotForSuspect(): number | undefined {
    return this.#slots
      .filter((slot) => this.#killersIn(slot) === 0)
      .toSorted((a, b) => this.#in(a).length - this.#in(b).length)[0];
  }

  #slotForKiller(current: number | undefined): number | undefined {
    if (current !== undefined && this.#killersIn(current) === 0) return current;
    return this.#slots.toSorted((a, b) => this.#killersIn(a) - this.#killersIn(b))[0];
  }

  #moveAwayFrom(killersSlot: number): void {
    const others = [...this.#suspects.values()].filter((each) => each.slot === killersSlot && each.kills < KILLER_AT);
    for (const suspect of others) {
      suspect.slot = undefined;
      suspect.slot = this.#slotForSuspect();
    }
  }
}

/**
 * Which of an agent's sensors are to be read, and when the next is: those with `every_ms`, while there is a target to work
 * towards. When each is due is written down; who is on the way to read one is memory, and forgotten with the object.
 */
import type { AgentStore, Head } from "./_agent-store.ts";

export class Sensors {
  readonly #store: AgentStore;
  readonly #underWay = new Set<string>();

  constructor(store: AgentStore) {
    this.#store = store;
  }

  /** Paths of those that are due, written down as read: the next look is a period later, whatever becomes of this one. */
  take(head: Head, now: number): string[] {
    const known = this.#store.sensors();
    const due = polled(head).filter(({ path }) => (known.get(path) ?? 0) <= now && !this.#underWay.has(path));
    for (const { path, every } of due) this.#store.setSensor(path, now + every);
    return due.map(({ path }) => path);
  }

  /** While somebody is on the way to read them nobody else is sent. */
  async during<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const path of paths) this.#underWay.add(path);
    try {
      return await work();
    } finally {
      for (const path of paths) this.#underWay.delete(path);
    }
  }

  /** When there is something to look at next; undefined: never. */
  nextAt(head: Head, now: number): number | undefined {
    if (!isAttentive(head)) return undefined;
    const known = this.#store.sensors();
    const times = polled(head)
      .filter(({ path }) => !this.#underWay.has(path))
      .map(({ path }) => Math.max(now, known.get(path) ?? now));
    return times.length === 0 ? undefined : Math.min(...times);
  }
}

/** Before a plan all are read in any case, so not while there is one being made. */
export function isAttentive({ settings, target, intent, phase }: Head): boolean {
  return settings.active && target !== undefined && intent === "seek" && phase !== "failed" && phase !== "planning";
}

function polled({ settings }: Head): { path: string; every: number }[] {
  return settings.sensors.flatMap(({ path, every_ms: every }) => (every === null ? [] : [{ path, every }]));
}

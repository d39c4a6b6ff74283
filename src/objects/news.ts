/** Those who wait for a change of an execution or a job, in memory: whoever is lost with it asks again. */
export class News {
  readonly #listeners = new Map<string, Set<() => void>>();

  tell(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  /** Resolves at the next change, or when the time is over, with what is left of it: never more, whatever the clock does. */
  next(id: string, withinMs: number): Promise<number> {
    const begunAt = Date.now();
    return new Promise((resolve) => {
      const listeners = this.#listeners.get(id) ?? new Set();
      this.#listeners.set(id, listeners);
      const end = (leftMs: number): void => {
        clearTimeout(timer);
        listeners.delete(changed);
        if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
        resolve(leftMs);
      };
      const changed = () => end(Math.max(0, withinMs - Math.max(0, Date.now() - begunAt)));
      const timer = setTimeout(() => end(0), withinMs);
      listeners.add(changed);
    });
  }
}

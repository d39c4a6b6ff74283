/** Those who wait for a change of an execution or a job, in memory: whoever is lost with it asks again. */
export class News {
  readonly #listeners = new Map<string, Set<() => void>>();

  tell(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  /** Resolves at the next change, or when the time is over. */
  next(id: string, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const listeners = this.#listeners.get(id) ?? new Set();
      this.#listeners.set(id, listeners);
      const end = (): void => {
        clearTimeout(timer);
        listeners.delete(end);
        if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
        resolve();
      };
      const timer = setTimeout(end, withinMs);
      listeners.add(end);
    });
  }
}

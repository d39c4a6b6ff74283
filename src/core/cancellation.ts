/**
 * Tells once that a result is not wanted any more. Every attempt has one and few use it, so it is not an AbortSignal: that is
 * an object of the runtime, and making and burying thousands a second takes a good part of the edge's time.
 */
export class Cancellation {
  #requested = false;
  #listeners: Set<() => void> | undefined;

  get requested(): boolean {
    return this.#requested;
  }

  request(): void {
    if (this.#requested) return;
    this.#requested = true;
    for (const listener of this.#listeners ?? []) listener();
    this.#listeners = undefined;
  }

  /** Calls back when it is requested, not if it has been. Answers how to take that back. */
  onRequest(listener: () => void): () => void {
    const listeners = (this.#listeners ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }
}

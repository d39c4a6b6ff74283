/** Whether an invocation still runs, and whether anybody still wants its result. Shared by those who know and those who ask. */
export class InvocationLife {
  #isOver = false;
  #isCancelled = false;
  #cancelled: PromiseWithResolvers<boolean> | undefined;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** True once it is cancelled, false when it has ended before. */
  whenCancelled(): Promise<boolean> {
    if (this.#isCancelled || this.#isOver) return Promise.resolve(this.#isCancelled);
    this.#cancelled ??= Promise.withResolvers<boolean>();
    return this.#cancelled.promise;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#cancelled?.resolve(true);
  }

  end(): void {
    this.#isOver = true;
    this.#cancelled?.resolve(false);
  }
}

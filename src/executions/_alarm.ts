/**
 * The one alarm of an object, which only ever moves to an earlier time until it has fired. Setting it is a write, so what is
 * asked for within a transaction is set once, and only when it is sooner than what is set already.
 */
export class Alarm {
  readonly #storage: DurableObjectStorage;
  #at = Number.POSITIVE_INFINITY;
  #wanted = Number.POSITIVE_INFINITY;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  async load(): Promise<void> {
    const at = await this.#storage.getAlarm();
    // One whose time has passed may be one that the runtime has given up: it is there, and never comes.
    this.#at = at !== null && at > Date.now() ? at : Number.POSITIVE_INFINITY;
  }

  /** Something must happen by then, milliseconds since the epoch. */
  by(time: number): void {
    this.#wanted = Math.min(this.#wanted, time);
  }

  /** Writes what was asked for, together with what is written in the same turn. */
  set(): void {
    if (this.#wanted >= this.#at) return;
    this.#at = this.#wanted;
    this.#wanted = Number.POSITIVE_INFINITY;
    void this.#storage.setAlarm(this.#at);
  }

  /** As set(), for the end of alarm(): waits until it is written. */
  async flush(): Promise<void> {
    if (this.#wanted === Number.POSITIVE_INFINITY || this.#wanted >= this.#at) return;
    this.#at = this.#wanted;
    this.#wanted = Number.POSITIVE_INFINITY;
    await this.#storage.setAlarm(this.#at);
  }

  /** The runtime forgets an alarm when it calls. */
  fired(): void {
    this.#at = Number.POSITIVE_INFINITY;
    this.#wanted = Number.POSITIVE_INFINITY;
  }
}

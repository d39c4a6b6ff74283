/**
 * The one alarm of an object, which only ever moves to an earlier time until it has fired. Setting it is a write, so what is
 * asked for within a transaction is set once, and only when it is sooner than what is set already.
 */

/**
 * An alarm that failed, as on a full disk, is repeated by the runtime after waits that grow to 17 minutes. One that is so
 * late is set anew with the next write, since writes go through again.
 */
const OVERDUE_MS = 2_000;

export class Alarm {
  readonly #storage: DurableObjectStorage;
  #at = Number.POSITIVE_INFINITY;
  #wanted = Number.POSITIVE_INFINITY;
  #lateMs = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  async load(): Promise<void> {
    this.#at = (await this.#storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
  }

  /** Something must happen by then, milliseconds since the epoch. */
  by(time: number): void {
    this.#wanted = Math.min(this.#wanted, time);
  }

  /** Writes what was asked for, together with what is written in the same turn. */
  set(): void {
    const now = Date.now();
    if (this.isOverdue(now)) {
      this.#noteLate(now);
      this.#at = now;
      this.#wanted = Number.POSITIVE_INFINITY;
      void this.#renew(now);
    }
    if (this.#wanted >= this.#at) return;
    this.#at = this.#wanted;
    this.#wanted = Number.POSITIVE_INFINITY;
    void this.#storage.setAlarm(this.#at);
  }

  /** Only one that was deleted is set as a new one; else the runtime goes on waiting before it repeats the old. */
  async #renew(time: number): Promise<void> {
    try {
      await this.#storage.deleteAlarm();
      await this.#storage.sync();
      await this.#storage.setAlarm(time);
    } catch {
      // The write failed, and with it this object: the next one begins from what is stored.
    }
  }

  /** As set(), for the end of alarm(): waits until it is written. */
  async flush(): Promise<void> {
    if (this.#wanted === Number.POSITIVE_INFINITY || this.#wanted >= this.#at) return;
    this.#at = this.#wanted;
    this.#wanted = Number.POSITIVE_INFINITY;
    await this.#storage.setAlarm(this.#at);
  }

  /**
   * The runtime forgets an alarm when it calls. Answers how late it is, where it is late at all: the clock was put forward, or
   * the machine has slept, and that nobody was heard of for so long proves nothing.
   */
  fired(now: number): number {
    this.#noteLate(now);
    const lateMs = this.#lateMs;
    this.#lateMs = 0;
    this.#at = Number.POSITIVE_INFINITY;
    this.#wanted = Number.POSITIVE_INFINITY;
    return lateMs;
  }

  /** It should have rung long ago, and has not. */
  isOverdue(now: number): boolean {
    return this.#at < now - OVERDUE_MS;
  }

  #noteLate(now: number): void {
    if (this.isOverdue(now)) this.#lateMs += now - this.#at;
  }
}

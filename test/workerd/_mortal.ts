/**
 * For tests of Durable Objects that are killed: one dies before or after any of its writes, and the clock goes from alarm to alarm.
 * Only transactions count as writes; a promise of the killed object's never settles.
 */
export type Mortality = {
  writes: number;
  /** The write before or after which it dies. */
  dieBefore: number | undefined;
  dieAfter: number | undefined;
};

/** From now on each transaction counts. `die` does not return. */
export function mortal({ storage }: DurableObjectState, life: Mortality, die: () => never): void {
  const own = storage.transactionSync.bind(storage);
  storage.transactionSync = <T>(work: () => T): T => {
    const write = ++life.writes;
    if (write === life.dieBefore) die();
    const result = own(work);
    if (write === life.dieAfter) die();
    return result;
  };
}

export function die(state: DurableObjectState): never {
  state.abort("killed by the test");
  throw new Error("killed by the test");
}

type Ringing = {
  storage: DurableObjectStorage;
  clock: { now: number };
  /** Until nothing is on its way. */
  rest: () => Promise<void>;
  alarm: () => Promise<void>;
  /** More alarms than that never end. */
  most: number;
};

/** Each alarm that is due by then, in order; what each sets off comes to rest before the next. */
export async function ringUntil(time: number, { storage, clock, rest, alarm, most }: Ringing): Promise<void> {
  for (let rings = 0; rings < most; rings++) {
    await rest();
    const at = await storage.getAlarm();
    if (at === null || at > time) {
      clock.now = time;
      return;
    }
    clock.now = Math.max(clock.now, at);
    // As the runtime does it: the alarm is forgotten, then the handler called.
    await storage.deleteAlarm();
    await alarm();
  }
  throw new Error("the alarms never come to rest");
}

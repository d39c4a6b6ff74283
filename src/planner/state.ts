/**
 * The state as a search sees it: the whole, and the part of it that this search changes. Changing something in a part costs
 * what the part costs, however large the whole is; what is elsewhere can be read, and once it is written the part is the whole.
 */
import { isObject, valueAt, withValue, type Json, type Path, type Value } from "./json.ts";

export type State = {
  readonly whole: Value;
  /** Where the part is; the whole still has there what it had before. */
  readonly at: Path;
  readonly part: Value;
};

/** The part is taken as far down as objects lead to it: what comes and goes there makes and leaves no objects around it. */
export function focus(whole: Value, wanted: Path): State {
  let at: Path = [];
  for (let above = whole; at.length < wanted.length && isObject(above); above = valueAt(whole, at))
    at = wanted.slice(0, at.length + 1);
  return { whole, at, part: valueAt(whole, at) };
}

export function lookAt(state: State, path: Path): Value {
  const { whole, at, part } = state;
  if (isWithin(path, at)) return valueAt(part, path.slice(at.length));
  // Around the part: as the whole would be with it.
  if (isWithin(at, path)) return withValue(valueAt(whole, path), at.slice(path.length), part);
  return valueAt(whole, path);
}

export function put(state: State, path: Path, value: Value): State {
  const { whole, at, part } = state;
  if (isWithin(path, at)) return { whole, at, part: withValue(part, path.slice(at.length), value) };
  return { whole, at: [], part: withValue(withValue(whole, at, part), path, value) };
}

function isWithin(path: Path, at: Path): boolean {
  return path.length >= at.length && at.every((name, depth) => path[depth] === name);
}

/** A whole whose parts are put back one after another: what it has copied once it changes in place. */
export class Whole {
  value: Value;
  readonly #own = new WeakSet<object>();

  constructor(value: Value) {
    this.value = value;
  }

  /** Takes the part of a search that has ended. */
  take({ at, part }: State): void {
    const [last] = at.slice(-1);
    if (last === undefined) {
      this.value = part;
      return;
    }
    let parent = this.#copied(this.value, (copy) => (this.value = copy));
    for (const name of at.slice(0, -1)) {
      const above = parent;
      parent = this.#copied(valueAt(above, [name]), (copy) => setOwn(above, name, copy));
    }
    if (part === undefined) delete parent[last];
    else setOwn(parent, last, part);
  }

  #copied(value: Value, keep: (copy: Record<string, Json>) => void): Record<string, Json> {
    if (isObject(value) && this.#own.has(value)) return value;
    const copy = isObject(value) ? { ...value } : {};
    this.#own.add(copy);
    keep(copy);
    return copy;
  }
}

/** Also for the name `__proto__`, which an assignment would take for something else. */
function setOwn(object: Record<string, Json>, name: string, value: Json): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** What all of the paths begin with. */
export function commonPrefix(paths: readonly Path[]): Path {
  const [first = [], ...others] = paths;
  let length = first.length;
  for (const path of others) {
    let same = 0;
    while (same < length && path[same] === first[same]) same += 1;
    length = same;
  }
  return first.slice(0, length);
}

/** Names of types in a generated file: from names of operations and definitions, each given once. */

export class TypeNames {
  readonly #taken: Set<string>;

  /** `reserved`: what else the file declares. */
  constructor(reserved: readonly string[]) {
    this.#taken = new Set(reserved);
  }

  /** `my_op.v2` → `MyOpV2`, with a number behind where that is taken. */
  give(...words: string[]): string {
    const joined = words
      .flatMap((word) => word.split(/[^A-Za-z0-9]+/))
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join("");
    const base = /^[A-Za-z]/.test(joined) ? joined : `T${joined}`;
    let name = base;
    for (let number = 2; this.#taken.has(name); number++) name = `${base}${number}`;
    this.#taken.add(name);
    return name;
  }
}

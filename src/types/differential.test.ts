/**
 * Two ways of checking, one verdict: every schema that the fast way takes goes through both, on seeded random schemas
 * and values, and the answers must agree to the letter. A failure prints the schema, the value and the seed.
 */
import { describe, expect, it } from "vitest";
import { explain } from "./explain.ts";
import { compileFast } from "./fast.ts";
import { compileLibrary, metaschemaFailures } from "./library.ts";
import { loadPatternEngine } from "../core/regex.ts";
import { scanSchema } from "./scan.ts";
import type { JsonSchema } from "./definition.ts";

await loadPatternEngine();

/** Mulberry32: the same seed, the same run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const KEYS = ["a", "b", "constructor", "toString", "prototype", "hasOwnProperty", "", "a/b~c", "ключ"];
const STRINGS = [
  "",
  "a",
  "ab",
  "abc",
  "💩",
  "💩💩",
  "\ud83d",
  "2026-01-02T03:04:05Z",
  "2026-02-30T00:00:00Z",
  "toString",
];
const NUMBERS = [0, -0, 1, 2, 3, -1, 0.1, 0.3, 1.5, 1e16, 9_007_199_254_740_992, 1e308, Infinity, 1e-7];
const TYPES = ["string", "number", "integer", "boolean", "null", "array", "object"];

class Generator {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = random(seed);
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
  maybe(chance: number): boolean {
    return this.next() < chance;
  }

  value(depth: number): unknown {
    const kind = this.below(depth > 0 ? 7 : 4);
    if (kind === 0) return this.pick(STRINGS);
    if (kind === 1) return this.pick(NUMBERS);
    if (kind === 2) return this.maybe(0.5);
    if (kind === 3) return null;
    const length = this.below(4);
    if (kind === 4) return Array.from({ length }, () => this.value(depth - 1));
    return Object.fromEntries(Array.from({ length }, () => [this.pick(KEYS), this.value(depth - 1)]));
  }

  /** Mostly what the fast way knows; sometimes malformed, so that it is seen to leave that to the metaschema. */
  schema(depth: number): JsonSchema {
    if (this.maybe(0.06)) return this.maybe(0.6);
    const schema: Record<string, unknown> = this.maybe(0.3) ? { description: "x", title: "y" } : {};
    if (this.maybe(0.1)) return { ...schema, $ref: this.pick(["#", "#/$defs/one", "#/$defs/two"]) };
    if (depth > 0 && this.maybe(0.06)) {
      const pair = [this.schema(depth - 1), { type: "null" }];
      return { ...schema, anyOf: this.maybe(0.5) ? pair : pair.toReversed() };
    }
    if (depth > 0 && this.maybe(0.15)) {
      return { ...schema, anyOf: Array.from({ length: 1 + this.below(3) }, () => this.schema(depth - 1)) };
    }
    if (this.maybe(0.1)) schema["enum"] = Array.from({ length: 1 + this.below(3) }, () => this.value(this.below(2)));
    if (this.maybe(0.05)) schema["const"] = this.value(1);
    if (this.maybe(0.05)) return schema;
    const type = this.pick(TYPES);
    schema["type"] = this.maybe(0.2) ? [type, "null"] : type;
    const put = (keyword: string, make: () => unknown, chance = 0.3): void => {
      if (this.maybe(chance)) schema[keyword] = this.maybe(0.01) ? "malformed" : make();
    };
    const count = (): number => this.below(4);
    if (type === "string") {
      put("minLength", count);
      put("maxLength", count);
      put("pattern", () => this.pick(["^a", "b$", "^.$", "\\p{L}", "[^a]"]));
      put("format", () => this.pick(["date-time", "uuid"]));
    } else if (type === "number" || type === "integer") {
      for (const keyword of ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) {
        put(keyword, () => this.pick(NUMBERS.filter(Number.isFinite)), 0.2);
      }
      put("multipleOf", () => this.pick([0.1, 1, 2, 0.5, 3, 1e-8]), 0.2);
    } else if (type === "array") {
      if (depth > 0) put("items", () => this.schema(depth - 1), 0.7);
      put("minItems", count);
      put("maxItems", count);
      put("uniqueItems", () => this.maybe(0.7));
    } else if (type === "object") {
      if (depth > 0) {
        const names = KEYS.filter(() => this.maybe(0.3));
        put("properties", () => Object.fromEntries(names.map((name) => [name, this.schema(depth - 1)])), 0.8);
        put("additionalProperties", () => (this.maybe(0.5) ? false : this.schema(depth - 1)), 0.5);
      }
      put("required", () => KEYS.filter(() => this.maybe(0.15)));
      put("minProperties", count, 0.15);
      put("maxProperties", count, 0.15);
    }
    return schema;
  }
}

const SEEDS = Array.from({ length: 40 }, (_, index) => 1_000 + index);

describe("the fast way and the library", () => {
  it.each(SEEDS)("give the same verdict and the same issues, seed %d", async (seed) => {
    const generator = new Generator(seed);
    let compared = 0;
    for (let round = 0; round < 40; round++) {
      const schema = {
        ...(generator.schema(3) as Record<string, unknown>),
        "x-assert-formats": generator.maybe(0.5),
        $defs: { one: generator.schema(1), two: generator.schema(1) },
      };
      const { scan, unsupported, invalid } = scanSchema(schema);
      if (unsupported.length + invalid.length > 0) continue;
      const fast = compileFast(scan);
      if (fast === undefined) continue;
      const said = `seed ${seed}: ${JSON.stringify(schema)}`;
      expect(await metaschemaFailures(schema), said).toEqual([]);
      const library = await (await compileLibrary(scan)).checkAt(scan.root);
      for (let trial = 0; trial < 25; trial++) {
        const value = generator.value(3);
        const about = `${said}\nvalue ${JSON.stringify(value)}`;
        expect(fast.accepts(value), about).toBe(library.accepts(value));
        expect(explain(fast.failures(value)), about).toEqual(explain(library.failures(value)));
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });
});

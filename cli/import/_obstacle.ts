/** Why one operation, or one part of it, cannot be carried over. Thrown and caught within this folder; never an end of the import. */
export class Obstacle extends Error {}

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The members of what should be an object; of anything else none. */
export function membersOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

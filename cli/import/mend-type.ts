/**
 * A type as the registry takes it. What it would refuse and only narrows a value (a pattern that runs in no linear time, a
 * default that does not fit) is left out and said: the service holds its own values to it anyway.
 */
import { SwitchyardError, type Issue } from "../../src/core/errors.ts";
import type { CompiledType } from "../../src/model/resolved.ts";
import { compileType, pointerTokens } from "../../src/types/index.ts";
import { isObject, Obstacle, type Json } from "./_obstacle.ts";
import type { Schema } from "./type-builder.ts";

export type Mended = { schema: Schema; compiled: CompiledType };

const DISPENSABLE = new Set(["pattern", "default", "format"]);

/** Throws Obstacle for a type that is wrong in another way. */
export async function mendType(
  schema: Schema,
  side: "input" | "output",
  note: (what: string) => void,
): Promise<Mended> {
  const mended = structuredClone(schema);
  for (;;) {
    let issues: readonly Issue[];
    try {
      return { schema: mended, compiled: await compileType(mended, () => undefined) };
    } catch (error) {
      if (!(error instanceof SwitchyardError) || error.errors === undefined) throw error;
      issues = error.errors;
    }
    const removed = issues.filter(({ pointer }) => remove(mended, pointer));
    const [wrong] = issues;
    if (removed.length === 0) {
      throw new Obstacle(
        `its ${side} type is none: at "${wrong?.pointer ?? ""}" ${wrong?.detail ?? "it breaks a rule"}`,
      );
    }
    for (const { pointer, detail } of removed) note(`left out of its ${side} type: ${pointer}, which ${detail}`);
  }
}

function remove(schema: Schema, pointer: string): boolean {
  const tokens = pointerTokens(pointer);
  const keyword = tokens.pop();
  if (keyword === undefined || !DISPENSABLE.has(keyword)) return false;
  let parent: unknown = schema;
  for (const token of tokens) parent = (parent as Json | undefined)?.[token];
  // A property may have that name.
  if (!isObject(parent) || isObject(parent[keyword]) !== (keyword === "default" && isObject(parent["default"])))
    return false;
  return Object.hasOwn(parent, keyword) && delete parent[keyword];
}

/**
 * Filling in defaults, after a value was found to fit: absent properties get theirs, through `properties`, `items`,
 * `additionalProperties`, `$ref` and `allOf`. Alternatives (`anyOf`, `oneOf`, `if`) are not looked into: which of them
 * holds would decide what is filled. The value passed in is never changed; what has no default is not copied.
 */
import type { Issue } from "../core/errors.ts";
import { isRecord, type JsonSchema } from "./definition.ts";
import type { Scan, SchemaNode } from "./scan.ts";
import { keyOf } from "./values.ts";

/** What is to be filled in an object or array that one schema (with its `$ref` and `allOf`) describes. */
type Plan = {
  properties: Map<string, { node: SchemaNode; hasDefault: boolean; value: unknown }[]>;
  items: SchemaNode[];
  additional: SchemaNode[];
};

export type Fill = (value: unknown) => unknown;

const MAX_DEFAULT_DEPTH = 32;

/**
 * undefined where the type has no default. Adds issues for two different defaults of one property, and for one that
 * goes on filling itself without end. `defaults` lists every default that would be filled, to be checked by the caller.
 */
export function planDefaults(
  scan: Scan,
  issues: Issue[],
): { fill: Fill; defaults: { node: SchemaNode; value: unknown }[] } | undefined {
  const plans = new Map<JsonSchema, Plan>();
  const defaults: { node: SchemaNode; value: unknown }[] = [];
  const planOf = (node: SchemaNode): Plan => {
    let plan = plans.get(node.schema);
    if (plan === undefined) {
      plan = { properties: new Map(), items: [], additional: [] };
      plans.set(node.schema, plan);
      addTo(plan, node, scan, new Set());
    }
    return plan;
  };
  const pending = [scan.root];
  const seen = new Set<JsonSchema>();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (!isRecord(node.schema) || seen.has(node.schema)) continue;
    seen.add(node.schema);
    const plan = planOf(node);
    for (const layers of plan.properties.values()) {
      const given = layers.filter((layer) => layer.hasDefault);
      const [first] = given;
      if (first !== undefined) defaults.push(...given);
      const other = given.find((layer) => keyOf(layer.value) !== keyOf(first?.value));
      if (other !== undefined) {
        const detail = "must be the same wherever the property has one; another schema says otherwise";
        issues.push({ pointer: `${other.node.pointer}/default`, keyword: "default", detail });
      }
      pending.push(...layers.map((layer) => layer.node));
    }
    pending.push(...plan.items, ...plan.additional);
  }
  if (defaults.length === 0) return undefined;

  const fill = (node: SchemaNode, value: unknown, depth: number): unknown => {
    if (typeof value !== "object" || value === null || !isRecord(node.schema)) return value;
    if (depth > MAX_DEFAULT_DEPTH * 8) throw new EndlessDefault();
    const plan = planOf(node);
    if (Array.isArray(value)) return fillArray(plan, value, (inner, item) => fill(inner, item, depth + 1));
    return fillObject(plan, value as Record<string, unknown>, (inner, item) => fill(inner, item, depth + 1));
  };
  const unique = [...new Map(defaults.map((entry) => [entry.node, entry])).values()];
  for (const { node, value } of unique) {
    try {
      fill(node, value, 0);
    } catch (error) {
      if (!(error instanceof EndlessDefault)) throw error;
      const detail = "must not fill in itself without end";
      issues.push({ pointer: `${node.pointer}/default`, keyword: "default", detail });
    }
  }
  return { fill: (value) => fill(scan.root, value, 0), defaults: unique };
}

class EndlessDefault extends Error {}

function addTo(plan: Plan, node: SchemaNode, scan: Scan, seen: Set<object>): void {
  const { schema } = node;
  if (!isRecord(schema) || seen.has(schema)) return;
  seen.add(schema);
  const nodeOf = (inner: unknown): SchemaNode | undefined => (isRecord(inner) ? scan.bySchema.get(inner) : undefined);
  const { properties, items, additionalProperties, allOf } = schema;
  for (const [name, inner] of Object.entries(isRecord(properties) ? properties : {})) {
    const at = nodeOf(inner);
    if (at === undefined || !isRecord(inner)) continue;
    const layer = { node: at, hasDefault: Object.hasOwn(inner, "default"), value: inner["default"] };
    const layers = plan.properties.get(name);
    if (layers === undefined) plan.properties.set(name, [layer]);
    else layers.push(layer);
  }
  const item = nodeOf(items);
  // With prefixItems, `items` is about the rest only; neither is looked into then.
  if (item !== undefined && schema["prefixItems"] === undefined) plan.items.push(item);
  const additional = nodeOf(additionalProperties);
  if (additional !== undefined && schema["patternProperties"] === undefined) plan.additional.push(additional);
  const target = scan.targets.get(schema);
  if (target !== undefined) addTo(plan, target, scan, seen);
  for (const inner of Array.isArray(allOf) ? allOf : []) {
    const at = nodeOf(inner);
    if (at !== undefined) addTo(plan, at, scan, seen);
  }
}

type FillInner = (node: SchemaNode, value: unknown) => unknown;

function fillArray(plan: Plan, value: unknown[], fill: FillInner): unknown[] {
  let copy: unknown[] | undefined;
  for (const node of plan.items) {
    for (const [index, item] of value.entries()) {
      const current = copy === undefined ? item : copy[index];
      const filled = fill(node, current);
      if (filled === current) continue;
      copy ??= [...value];
      copy[index] = filled;
    }
  }
  return copy ?? value;
}

function fillObject(plan: Plan, value: Record<string, unknown>, fill: FillInner): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  const put = (name: string, member: unknown): void => {
    copy ??= { ...value };
    Object.defineProperty(copy, name, { value: member, enumerable: true, configurable: true, writable: true });
  };
  for (const [name, layers] of plan.properties) {
    if (!Object.hasOwn(value, name)) {
      const given = layers.find((layer) => layer.hasDefault);
      if (given === undefined) continue;
      put(name, structuredClone(given.value));
    }
    for (const { node } of layers) {
      const current = (copy ?? value)[name];
      const filled = fill(node, current);
      if (filled !== current) put(name, filled);
    }
  }
  if (plan.additional.length > 0) {
    for (const name of Object.keys(value)) {
      if (plan.properties.has(name)) continue;
      for (const node of plan.additional) {
        const current = (copy ?? value)[name];
        const filled = fill(node, current);
        if (filled !== current) put(name, filled);
      }
    }
  }
  return copy ?? value;
}

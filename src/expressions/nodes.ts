/**
 * JSONata's syntax tree, as far as we read it. Nodes whose values the evaluator works through without telling anybody
 * have a role, by which hooks.ts charges for that.
 */

export type Role =
  /** Its whole value is walked or written out: an operand of `=` or `&`, a condition. */
  | "walked"
  /** Its items are gone through: the right side of `in`, what a transform takes away. */
  | "scanned"
  /** Its items are copied into a sequence: a step of a path, an item of an array. */
  | "copied"
  /** Each of its items becomes a tuple with all that `@`, `#` and `%` bind in the path. */
  | "tupled"
  /** Its items are copied, and then sorted. */
  | "sorted"
  /** A key by which a sequence is grouped, and by which tuples are, for each binding anew. */
  | "key"
  | "tupleKey"
  /** What a transform writes into the copy that it made. */
  | "update";

/** What we read of JSONata's nodes; `role` is ours. */
export type Node = {
  type: string;
  value?: unknown;
  position?: number;
  role?: Role;
  thunk?: boolean;
  [member: string]: unknown;
};

/** Members that are no nodes, or are nodes of elsewhere. */
export const NO_NODES = new Set(["signature", "slot", "ancestor", "seekingParent", "position", "type", "value"]);

export function giveRoles(node: Node): void {
  const give = (role: Role, ...nodes: unknown[]) => {
    for (const each of nodes) if (typeof each === "object" && each !== null) (each as Node).role = role;
  };
  if (node.type === "path") {
    const steps = node["steps"] as Node[];
    let role: Role = "copied";
    for (const [index, step] of steps.entries()) {
      // From the first tuple on, all that follows are tuples.
      if (step["tuple"] === true) role = "tupled";
      give(steps[index + 1]?.type === "sort" ? "sorted" : role, step);
    }
  }
  if (node.type === "unary" && node.value === "[") give("copied", ...(node["expressions"] as Node[]));
  if (node.type === "binary" && typeof node.value === "string" && ["=", "!=", "&", "and", "or"].includes(node.value)) {
    give("walked", node["lhs"], node["rhs"]);
  }
  if (node.type === "binary" && node.value === "in") give("scanned", node["rhs"]);
  if (node.type === "condition") give("walked", node["condition"]);
  for (const filter of [node["predicate"], node["stages"]].flat())
    give("walked", (filter as Node | undefined)?.["expr"]);
  const group = node["group"] as { lhs: [Node, Node][] } | undefined;
  const tuples = (node["steps"] as Node[] | undefined)?.some((step) => step["tuple"] === true);
  for (const [key] of group?.lhs ?? []) give(tuples === true ? "tupleKey" : "key", key);
  // Whoever called it may ask whether its answer is true.
  if (node.type === "lambda") give("walked", node["body"]);
  if (node.type === "transform") {
    give("update", node["update"]);
    give("scanned", node["delete"]);
  }
}

/** How many names `@`, `#` and `%` bind in a path: each of its tuples has all of them. */
export function bindingsOf(path: Node): number {
  let count = 0;
  for (const step of path["steps"] as Node[]) {
    for (const bound of [step["focus"], step["index"], step["ancestor"]]) if (bound !== undefined) count++;
    for (const stage of (step["stages"] as Node[] | undefined) ?? []) if (stage.type === "index") count++;
  }
  return count;
}

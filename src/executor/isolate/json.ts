/**
 * Source of the isolate's module `switchyard-json.js`: says what of a value JSON cannot say, and where. It only looks;
 * the text itself is made by JSON.stringify, so a value that changes between the two is still JSON in the end.
 */
export const JSON_MODULE = String.raw`
const { getPrototypeOf, keys, prototype: objectPrototype } = Object;
const { isArray, prototype: arrayPrototype } = Array;
const { isFinite } = Number;
const apply = Reflect.apply;
const tagOf = objectPrototype.toString;
const replaceAll = String.prototype.replaceAll;

const escapeKey = (key) => apply(replaceAll, apply(replaceAll, key, ["~", "~0"]), ["/", "~1"]);

/** undefined when JSON can say the value, else {pointer, what}. */
export function findNonJson(value, maxDepth) {
  const path = [];
  const ancestors = [];
  const fail = (what) => {
    let pointer = "";
    for (let i = 0; i < path.length; i++) pointer += "/" + escapeKey(path[i]);
    return { pointer, what };
  };
  const visit = (value, depth, key) => {
    switch (typeof value) {
      case "string":
      case "boolean":
        return undefined;
      case "number":
        return isFinite(value) ? undefined : fail("the number " + value);
      case "undefined":
        return fail("undefined");
      case "bigint":
        return fail("a BigInt");
      case "function":
        return fail("a function");
      case "symbol":
        return fail("a symbol");
    }
    if (value === null) return undefined;
    for (let i = 0; i < depth; i++) if (ancestors[i] === value) return fail("a value that contains itself");
    if (depth >= maxDepth) return fail("nested more than " + maxDepth + " levels deep");
    if (typeof value.toJSON === "function") {
      const replaced = value.toJSON(key);
      if (replaced !== value) return replaced === undefined ? fail("undefined, from toJSON()") : visit(replaced, depth, key);
    }
    ancestors[depth] = value;
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item = value[i];
        if (typeof item === "string" || typeof item === "boolean") continue;
        path[depth] = "" + i;
        path.length = depth + 1;
        const found = visit(item, depth + 1, path[depth]);
        if (found) return found;
      }
    } else {
      const prototype = getPrototypeOf(value);
      if (prototype !== objectPrototype && prototype !== null) {
        const tag = apply(tagOf, value, []);
        if (tag !== "[object Object]") return fail(tag === "[object Promise]" ? "a Promise that was not awaited" : "a " + tag.slice(8, -1));
      }
      const names = keys(value);
      for (let i = 0; i < names.length; i++) {
        if (names[i] === "__proto__") return fail('an object with a key named "__proto__"');
        const member = value[names[i]];
        // As JSON.stringify does, and as optional properties want it.
        if (member === undefined || typeof member === "string" || typeof member === "boolean") continue;
        path[depth] = names[i];
        path.length = depth + 1;
        const found = visit(member, depth + 1, names[i]);
        if (found) return found;
      }
    }
    path.length = depth;
    return undefined;
  };
  return visit(value, 0, "");
}
`;

/**
 * An OpenAPI document and the files beside it that its references lead to. Nothing else is ever opened: a document from
 * somewhere else must not be able to say which files of this machine, or which addresses, are read.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { SwitchyardError } from "../../src/core/errors.ts";
import { pointerTokens } from "../../src/types/index.ts";
import { parseYaml } from "../yaml.ts";
import { isObject, Obstacle, type Json } from "./_obstacle.ts";

/** A value and the file that it stands in, which relative references in it go out from. */
export type Found = { value: unknown; file: string; pointer: string };

export type Documents = {
  root: Json;
  /** The name of the root's file, for every value in it. */
  file: string;
  version: "3.0" | "3.1";
  /** What a reference leads to; itself possibly a reference. Throws Obstacle. */
  lookUp(reference: string, from: string): Found;
  /** The value itself, or what it refers to, however often. Throws Obstacle. */
  settle(value: unknown, from: string): Found;
};

const MAX_HOPS = 32;

/** `folder`: where files may be that it refers to; undefined: it stands alone. */
export function openDocuments(text: string, source: string, folder?: string): Documents {
  const root = parseOne(text, source);
  const version = versionOf(root, source);
  const files = new Map<string, unknown>([[source, root]]);
  const within = folder === undefined ? undefined : realpathSync(folder);
  const read = (name: string, from: string): { file: string; value: unknown } => {
    const rule = `the reference to "${name}" must lead to a file in the document's folder`;
    if (within === undefined || /^[a-z][a-z0-9+.-]*:/i.test(name)) throw new Obstacle(rule);
    let file: string;
    try {
      file = realpathSync(path.resolve(path.dirname(from), decodeURI(name)));
    } catch {
      throw new Obstacle(`${rule}; there is none of that name`);
    }
    if (!file.startsWith(within + path.sep)) throw new Obstacle(rule);
    if (file === realpathSync(source)) return { file: source, value: root };
    const known = files.get(file);
    if (known !== undefined) return { file, value: known };
    if (!statSync(file).isFile()) throw new Obstacle(`${rule}; it is none`);
    const value = parseOne(readFileSync(file, "utf8"), file);
    files.set(file, value);
    return { file, value };
  };
  const lookUp = (reference: string, from: string): Found => {
    const at = reference.indexOf("#");
    const [name, fragment] = at < 0 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
    const { file, value } = name === "" ? { file: from, value: files.get(from) } : read(name, from);
    let pointer: string;
    try {
      pointer = decodeURIComponent(fragment);
    } catch {
      throw new Obstacle(`the reference "${reference}" must be a URI reference`);
    }
    if (pointer !== "" && !pointer.startsWith("/")) {
      throw new Obstacle(`the reference "${reference}" must be a JSON Pointer; it is a name`);
    }
    let target: unknown = value;
    for (const token of pointerTokens(pointer)) {
      target =
        typeof target === "object" && target !== null && Object.hasOwn(target, token)
          ? (target as Json)[token]
          : undefined;
    }
    if (target === undefined) throw new Obstacle(`the reference "${reference}" must lead somewhere; it does not`);
    return { value: target, file, pointer };
  };
  const settle = (value: unknown, from: string): Found => {
    let found: Found = { value, file: from, pointer: "" };
    for (let hop = 0; isObject(found.value) && typeof found.value["$ref"] === "string"; hop++) {
      if (hop === MAX_HOPS) throw new Obstacle(`the reference "${found.value["$ref"]}" must end; it goes in a circle`);
      found = lookUp(found.value["$ref"], found.file);
    }
    return found;
  };
  return { root, file: source, version, lookUp, settle };
}

function parseOne(text: string, source: string): Json {
  const value = /^\s*\{/.test(text) ? parseJsonOrYaml(text, source) : parseYaml(text, source)[0];
  if (isObject(value)) return value;
  throw new SwitchyardError(
    "usage",
    `Cannot read "${source}": it must be YAML or JSON with an object in it; it is not`,
  );
}

/** YAML has JSON in it, but reads it a hundred times slower. */
function parseJsonOrYaml(text: string, source: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return parseYaml(text, source)[0];
  }
}

function versionOf({ openapi, swagger }: Json, source: string): "3.0" | "3.1" {
  if (typeof openapi === "string" && /^3\.0\.\d/.test(openapi)) return "3.0";
  if (typeof openapi === "string" && /^3\.1\.\d/.test(openapi)) return "3.1";
  const said = openapi ?? swagger;
  throw new SwitchyardError(
    "usage",
    `Cannot import "${source}": it must say openapi: 3.0.x or 3.1.x; it ${said === undefined ? "says neither" : `is ${JSON.stringify(said)}`}`,
    swagger === undefined ? {} : { hint: "npx swagger2openapi makes an OpenAPI 3.0 document of it." },
  );
}

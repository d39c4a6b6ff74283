/**
 * The path of an operation: well-formed, free, and with parameters that its input type declares. Held whenever a revision
 * is made, so that every path that is stored can be served.
 */
import type { Operation } from "../../model/entities.ts";
import { parametersOf, parseRestPath, restPathOf, shapeOf } from "../../model/rest-path.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { propertyOf } from "../../types/index.ts";
import type { Draft, Use } from "../draft.ts";
import type { OperationResolved } from "./operation-resolved.ts";
import { refuse } from "./rules.ts";

const POINTER = "/path";

/** What can be said of the text alone. Throws definition_invalid or setting_unsupported. */
export function checkPathText({ name, path, batch }: Operation): void {
  if (path === null) return;
  const parsed = parseRestPath(path);
  if ("rule" in parsed) {
    throw refuse(
      "definition_invalid",
      POINTER,
      `Cannot store the path of "${name}": it ${parsed.rule}; it is ${JSON.stringify(path.slice(0, 600))}`,
      'such as "GET /people/{person_id}"',
    );
  }
  if (!batch) return;
  throw refuse(
    "setting_unsupported",
    POINTER,
    `Cannot store the path of "${name}": the input of a batch is a list, which no parameters make, so path must be null; it is "${path}"`,
  );
}

/** Throws path_taken, naming the operation that has it. */
export async function checkPathIsFree({ name, path }: Operation, draft: Draft): Promise<void> {
  if (path === null) return;
  const shape = shapeOf(restPathOf(path));
  const other = (await draft.users("path", shape)).find((user) => user.name !== name);
  if (other === undefined) return;
  const theirs = (await draft.row("operation", other.name))?.manifest as Pick<Operation, "path"> | undefined;
  const at = theirs?.path === path ? "" : `, as "${theirs?.path ?? shape}"`;
  throw refuse(
    "path_taken",
    POINTER,
    `Cannot store the path of "${name}": "${path}" must be free; the operation "${other.name}" has it${at}`,
    `opctl edit operation ${other.name} -s path=null gives it free`,
  );
}

/** A parameter that no property takes would get in the way of every request. Throws definition_invalid. */
export function checkPathParameters({ name, path }: Operation, { input }: OperationResolved): void {
  if (path === null) return;
  for (const parameter of parametersOf(restPathOf(path))) {
    const property = propertyOf(input.closed, parameter);
    if (property !== undefined && property !== false) continue;
    const near = didYouMean(parameter, propertyNames(input.closed));
    throw refuse(
      "definition_invalid",
      POINTER,
      `Cannot store the path of "${name}": each of its parameters must be a property of the input type; {${parameter}} is none`,
      near === undefined ? `opctl describe operation ${name} shows the input type` : `Did you mean {${near}}?`,
    );
  }
}

/** Stored beside what else the operation uses: at most one operation may use a shape. */
export function usesOfPath({ path }: Operation): Use[] {
  return path === null ? [] : [{ kind: "path", name: shapeOf(restPathOf(path)), written: true }];
}

function propertyNames(type: OperationResolved["input"]["closed"]): string[] {
  return typeof type === "object" ? Object.keys(type["properties"] ?? {}) : [];
}

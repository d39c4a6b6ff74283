/**
 * An operation as an MCP tool: its row and its closed types, said in MCP's words. Pure. Agents see only this, so it also
 * tells what an agent cannot guess: where an input goes that is no object, and that the work may take its time.
 */
import type { Tool } from "@modelcontextprotocol/server";
import { LIMITS } from "../../core/limits.ts";
import type { Annotations } from "../../model/entities.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import type { ClosedOperation } from "../../registry/describe.ts";
import { asObject, isMisread, isObjectType, place, type AsObject } from "./as-object.ts";

/** Where an input and an output stand that are no objects. */
export const INPUT = "input";
export const OUTPUT = "output";
export const META = "switchyard.dev";

type Type = boolean | Record<string, unknown>;

export function toTool(operation: ClosedOperation): Tool {
  const { name, annotations } = operation;
  const input = inputOf(operation);
  const output = outputOf(operation);
  const examples = operation.examples.map(({ input: given }) => (input.wrapped ? { [INPUT]: given } : given));
  const hints = annotations === null ? {} : hintsOf(annotations);
  const title = annotations?.title ?? undefined;
  return {
    name,
    ...(title === undefined ? {} : { title }),
    description: descriptionOf(operation, input),
    inputSchema: { ...input.schema, ...(examples.length === 0 ? {} : { examples }) },
    ...(output === undefined ? {} : { outputSchema: output.schema }),
    ...(Object.keys(hints).length === 0 ? {} : { annotations: hints }),
    _meta: { [`${META}/group`]: operation.group },
  };
}

/** How the values of a call stand in it. The same rule as that of toTool(), for an operation about to be called. */
export function shapeOf({ input, output, batch }: Pick<ResolvedOperation, "input" | "output" | "batch">) {
  return {
    inputWrapped: batch || !(isAnything(input.schema) || isObjectType(input.schema)),
    /** undefined: the type says nothing, so the value does. */
    outputWrapped: batch || (isAnything(output.schema) ? undefined : !isObjectType(output.schema)),
  };
}

/** Of which nothing is known takes objects, as most inputs are. */
function inputOf({ input: text, batch }: ClosedOperation): AsObject {
  const input = JSON.parse(text) as Type;
  if (batch) return asObject(listOf(input), INPUT);
  return isAnything(input) ? { schema: { type: "object" }, wrapped: false } : asObject(input, INPUT);
}

/** undefined: nothing is promised of the output, or nothing that every client can take in. */
function outputOf({ output: text, batch }: ClosedOperation): AsObject | undefined {
  const output = JSON.parse(text) as Type;
  if (isMisread(output)) return undefined;
  if (batch) return asObject(outcomesOf(output), OUTPUT);
  return isAnything(output) ? undefined : asObject(output, OUTPUT);
}

function descriptionOf({ name, description, isAsync, batch }: ClosedOperation, input: AsObject): string {
  const notes = [
    // Some clients want one of every tool.
    description === "" ? name : description,
    batch ? `Takes a list of inputs under "${INPUT}", and answers the outcome of each.` : "",
    input.wrapped && !batch ? `Its input goes under "${INPUT}".` : "",
    isAsync ? "May take long: it is kept, and goes on if nobody waits for it." : "",
  ];
  return notes.filter((note) => note !== "").join("\n\n");
}

function hintsOf({ title, read_only, destructive, idempotent, open_world }: Annotations) {
  return {
    ...(title === null ? {} : { title }),
    ...(read_only === null ? {} : { readOnlyHint: read_only }),
    ...(destructive === null ? {} : { destructiveHint: destructive }),
    ...(idempotent === null ? {} : { idempotentHint: idempotent }),
    ...(open_world === null ? {} : { openWorldHint: open_world }),
  };
}

function listOf(type: Type) {
  return place(type, "/items", (items) => ({ type: "array", items, maxItems: LIMITS.batchItems }));
}

const ERROR = {
  type: "object",
  properties: { code: { type: "string" }, detail: { type: "string" } },
  required: ["code", "detail"],
};

/** What batchOutput() of dispatch writes. */
function outcomesOf(type: Type) {
  return place(type, "/items/properties/output", (output) => ({
    type: "array",
    items: { type: "object", properties: { ok: { type: "boolean" }, output, error: ERROR }, required: ["ok"] },
  }));
}

function isAnything(type: Type): boolean {
  return type === true || (typeof type === "object" && Object.keys(type).length === 0);
}

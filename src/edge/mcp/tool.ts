/**
 * An operation as an MCP tool: its row and its closed types, said in MCP's words. Pure. Agents see only this, so it also
 * tells what an agent cannot guess: where an input goes that is no object, and that the work may take its time.
 */
import type { Tool } from "@modelcontextprotocol/server";
import { LIMITS } from "../../core/limits.ts";
import type { Annotations } from "../../model/entities.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import type { ClosedOperation } from "../../registry/describe.ts";
import { asObject, hasIdentifier, isObjectType, place, type AsObject } from "./as-object.ts";

/** Where an input and an output stand that are no objects. */
export const INPUT = "input";
export const OUTPUT = "output";
export const META = "switchyard.dev";

export function toTool(operation: ClosedOperation): Tool {
  const { name, annotations, batch } = operation;
  const input = asObject(batch ? listOf(operation.input) : operation.input, INPUT);
  const output = outputOf(operation);
  const hints = annotations === null ? {} : hintsOf(annotations);
  const title = annotations?.title ?? undefined;
  return {
    name,
    ...(title === undefined ? {} : { title }),
    description: descriptionOf(operation, input),
    inputSchema: input.schema,
    ...(output === undefined ? {} : { outputSchema: output.schema }),
    ...(Object.keys(hints).length === 0 ? {} : { annotations: hints }),
    _meta: { [`${META}/group`]: operation.group },
  };
}

/** How the values of a call stand in it. The same rule as that of toTool(), for an operation about to be called. */
export function shapeOf({ input, output, batch }: Pick<ResolvedOperation, "input" | "output" | "batch">) {
  return {
    inputWrapped: batch || !isObjectType(input.schema),
    /** undefined: the type says nothing, so the value does. */
    outputWrapped: batch || (isAnything(output.schema) ? undefined : !isObjectType(output.schema)),
  };
}

/** undefined: nothing is promised of the output, or nothing that every client can take in. */
function outputOf({ output, batch }: ClosedOperation): AsObject | undefined {
  if (hasIdentifier(output)) return undefined;
  if (batch) return asObject(outcomesOf(output), OUTPUT);
  return isAnything(output) ? undefined : asObject(output, OUTPUT);
}

function descriptionOf({ description, isAsync, batch }: ClosedOperation, input: AsObject): string {
  const notes = [
    description,
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

function listOf(type: ClosedOperation["input"]) {
  return place(type, "/items", (items) => ({ type: "array", items, maxItems: LIMITS.batchItems }));
}

const ERROR = {
  type: "object",
  properties: { code: { type: "string" }, detail: { type: "string" } },
  required: ["code", "detail"],
};

/** What batchOutput() of dispatch writes. */
function outcomesOf(type: ClosedOperation["output"]) {
  return place(type, "/items/properties/output", (output) => ({
    type: "array",
    items: { type: "object", properties: { ok: { type: "boolean" }, output, error: ERROR }, required: ["ok"] },
  }));
}

function isAnything(type: ClosedOperation["output"]): boolean {
  return type === true || (typeof type === "object" && Object.keys(type).length === 0);
}

/** What an OpenAPI document says of one operation: its call by name, and the one at its own path. */
import type { Example } from "../../model/entities.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ClosedOperation } from "../../registry/describe.ts";
import { pathItem } from "./path-item.ts";
import { ACCEPTED, PROBLEM } from "./frame.ts";
import { placeType, type Json, type PlacedType } from "./schemas.ts";

/** The texts of one operation, ready to be put together with those of all others. */
export type Piece = {
  name: string;
  /** Members of `components.schemas`, with commas between. */
  components: string;
  /** The item at `/ops/NAME`. */
  item: string;
  atPath: { method: string; path: string; item: string } | undefined;
};

export function pieceOf(operation: ClosedOperation): Piece {
  const input = placeType(operation.input, operation.name, "input");
  const output = placeType(operation.output, operation.name, "output");
  const answers = `"responses":${responses(operation, output)}`;
  const heading = members(headingOf(operation, operation.name));
  const atPath = pathItem(operation, input);
  return {
    name: operation.name,
    components: [input, output].flatMap(({ component }) => component ?? []).join(","),
    item: `{"post":{${heading},"requestBody":${requestBody(operation, input)},${answers}}}`,
    atPath:
      atPath === undefined
        ? undefined
        : {
            method: atPath.method,
            path: atPath.path,
            // No operation can be named so.
            item: `{${members(headingOf(operation, `${operation.name}:path`))},${members(atPath.item)},${answers}}`,
          },
  };
}

function members(value: Json): string {
  return JSON.stringify(value).slice(1, -1);
}

/** The first line as the summary; the whole as the description where it is longer. */
function headingOf({ name, group, description, revision, isAsync }: ClosedOperation, operationId: string): Json {
  const [line = ""] = description.trim().split("\n", 1);
  const summary = line.length > 120 ? `${line.slice(0, 119)}…` : line;
  return {
    operationId,
    tags: [group],
    summary: summary === "" ? name : summary,
    ...(summary === description.trim() ? {} : { description }),
    "x-revision": revision,
    ...(isAsync ? { "x-async": true } : {}),
  };
}

function requestBody({ batch, examples }: ClosedOperation, { text }: PlacedType): string {
  const schema = batch ? `{"type":"array","items":${text},"maxItems":${LIMITS.batchItems}}` : text;
  const shown = examplesOf(examples, ({ input }) => ({ value: batch ? [input] : input }));
  return `{"required":true,"content":{"application/json":{"schema":${schema}${shown}}}}`;
}

const OTHER_RESPONSES = members({ 202: ACCEPTED, "4XX": PROBLEM, default: PROBLEM });

function responses({ batch, examples }: ClosedOperation, { text }: PlacedType): string {
  const schema = batch ? `{"type":"array","items":${outcomeOf(text)}}` : text;
  const shown = examplesOf(examples, (example) =>
    Object.hasOwn(example, "output")
      ? { value: batch ? [{ ok: true, output: example.output }] : example.output }
      : undefined,
  );
  const output = `{"description":"The output","content":{"application/json":{"schema":${schema}${shown}}}}`;
  return `{"200":${output},${OTHER_RESPONSES}}`;
}

/** Of one item of a batch. */
function outcomeOf(output: string): string {
  const failed = { ok: { const: false }, error: { type: "object" } };
  return `{"oneOf":[{"type":"object","required":["ok","output"],"properties":{"ok":{"const":true},"output":${output}}},${JSON.stringify(
    { type: "object", required: ["ok", "error"], properties: failed },
  )}]}`;
}

/** With a comma before, or nothing. */
function examplesOf(examples: readonly Example[], shown: (example: Example) => { value: unknown } | undefined): string {
  const named = examples.flatMap((example, place) => {
    const value = shown(example);
    if (value === undefined) return [];
    const { summary } = example;
    return [[String(place + 1), { ...(summary === undefined ? {} : { summary }), ...value }] as const];
  });
  return named.length === 0 ? "" : `,${members({ examples: Object.fromEntries(named) })}`;
}

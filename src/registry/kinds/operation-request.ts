/** The request to a service that an operation is: each field that it names is one that the input can have, and goes to one place. */
import { toPointer } from "../../core/json.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { isOwnHeader } from "../../model/request-headers.ts";
import { parseRequestPath } from "../../model/request-path.ts";
import type { ProvidedBy } from "../../model/services.ts";
import { follow } from "../../types/index.ts";
import type { ClosedType } from "../close.ts";
import { pointerFits } from "./pointer-fits.ts";
import { refuse } from "./rules.ts";

const WITHOUT_BODY: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE"]);

type Mention = { field: string; pointer: string };

/** Throws definition_invalid or setting_unsupported, each with its place below /provided_by. */
export function checkRequest(name: string, request: ProvidedBy, input: ClosedType): void {
  const what = `Cannot store the request of "${name}"`;
  if (request.body !== null && WITHOUT_BODY.has(request.method)) {
    throw refuse(
      "setting_unsupported",
      "/provided_by/body",
      `${what}: a ${request.method} has no body, so body must be null; it is "${request.body}"`,
      "use POST, PUT or PATCH, or let the field go into the query",
    );
  }
  checkHeaders(what, request);
  const parameters = parametersOf(what, request.path);
  const mentions: Mention[] = [
    ...parameters,
    ...request.query.map((field, place) => ({ field, pointer: `/provided_by/query/${place}` })),
    ...Object.entries(request.headers).map(([header, field]) => ({ field, pointer: `/provided_by/headers/${header}` })),
    ...(request.body === null ? [] : [{ field: request.body, pointer: "/provided_by/body" }]),
  ];
  checkFields(what, { name, input, mentions });
  // Of any value at all nothing is known: what is missing is said when it is called.
  if (isAny(input)) return;
  for (const { field, pointer } of parameters) {
    if (demands(input, field, { root: input, budget: 1_000 })) continue;
    throw refuse(
      "definition_invalid",
      pointer,
      `${what}: each field in its path must be required by the input type, since there is no path without it; "${field}" is not`,
      `add "${field}" to the required fields of its input type, or leave {${field}} out of the path`,
    );
  }
}

function parametersOf(what: string, path: string): Mention[] {
  const parsed = parseRequestPath(path);
  if ("rule" in parsed) {
    throw refuse(
      "definition_invalid",
      "/provided_by/path",
      `${what}: its path ${parsed.rule}`,
      "such as /albums/{album_id}",
    );
  }
  return parsed.parts.flatMap((part) => ("field" in part ? [{ field: part.field, pointer: "/provided_by/path" }] : []));
}

function checkHeaders(what: string, { headers }: ProvidedBy): void {
  const seen = new Set<string>();
  for (const header of Object.keys(headers)) {
    const lower = header.toLowerCase();
    if (isOwnHeader(lower)) {
      throw refuse(
        "definition_invalid",
        `/provided_by/headers/${header}`,
        `${what}: a header must be one that the platform does not set itself; "${header}" is one that it sets`,
      );
    }
    if (seen.has(lower)) {
      throw refuse(
        "definition_invalid",
        `/provided_by/headers/${header}`,
        `${what}: each header may be named once, in whatever case; "${header}" is named twice`,
      );
    }
    seen.add(lower);
  }
}

function checkFields(
  what: string,
  { name, input, mentions }: { name: string; input: ClosedType; mentions: readonly Mention[] },
): void {
  const seen = new Set<string>();
  for (const { field, pointer } of mentions) {
    if (seen.has(field)) {
      throw refuse(
        "definition_invalid",
        pointer,
        `${what}: each field may go to one place in it; "${field}" is named twice`,
      );
    }
    seen.add(field);
    if (pointerFits(input, toPointer([field]))) continue;
    const near = didYouMean(field, typeof input === "object" ? Object.keys(input["properties"] ?? {}) : []);
    throw refuse(
      "definition_invalid",
      pointer,
      `${what}: each field that it names must be one that the input type can have; "${field}" is none`,
      near === undefined ? `opctl describe operation ${name} shows the input type` : `Did you mean "${near}"?`,
    );
  }
}

function isAny(type: ClosedType): boolean {
  return type === true || (typeof type === "object" && Object.keys(type).length === 0);
}

type Look = { root: ClosedType; /** Schemas that may still be looked at. */ budget: number };

/** Whether no value without the field fits, as far as that can be seen. */
function demands(schema: unknown, field: string, look: Look): boolean {
  if (typeof schema !== "object" || schema === null || --look.budget < 0) return false;
  const { required, $ref, allOf, anyOf, oneOf } = schema as Record<string, unknown>;
  const does = (one: unknown) => demands(one, field, look);
  if (Array.isArray(required) && required.includes(field)) return true;
  if (typeof $ref === "string" && does(follow(look.root, $ref))) return true;
  if (Array.isArray(allOf) && allOf.some(does)) return true;
  return [anyOf, oneOf].some((choices) => Array.isArray(choices) && choices.length > 0 && choices.every(does));
}

/**
 * An input → the request that calls the operation of a service, as its row says. Pure. Whatever the values are, the request goes
 * to the method and path of the row: a value is one segment's text and can neither leave it nor add a header.
 */
import { SwitchyardError, type Issue } from "../../core/errors.ts";
import { fillRequestPath } from "../../model/request-path.ts";
import type { ProvidedBy } from "../../model/services.ts";

export type ServiceCall = {
  method: ProvidedBy["method"];
  /** With the query; without the exposure's base path. */
  path: string;
  headers: Record<string, string>;
  body?: string;
};

type Fields = Readonly<Record<string, unknown>>;

const ACCEPT = "application/json, application/problem+json, text/plain;q=0.5";
/** Of a path with its query. Servers take some 8 KiB. */
const MAX_PATH_CHARS = 64 * 1024;
const PRINTABLE = /^[\t\x20-\x7e]*$/;

/** Throws input_invalid, which names the field, for what the request cannot say. */
export function requestOf(providedBy: ProvidedBy, input: unknown, operation: string): ServiceCall {
  const { method, query, body } = providedBy;
  const hasBody = method === "POST" || method === "PUT" || method === "PATCH";
  const fields = asFields(input);
  const refuse = refuser(operation);
  if (fields === undefined) return wholeBody(providedBy, input, { hasBody, refuse });
  const named = new Set<string>([...query, ...Object.values(providedBy.headers), ...(body === null ? [] : [body])]);
  const path = fillRequestPath(providedBy.path, (field) => {
    named.add(field);
    return pathText(fields, field, refuse);
  });
  const headers: Record<string, string> = { accept: ACCEPT };
  for (const [header, field] of Object.entries(providedBy.headers)) {
    const text = headerText(header, field, { fields, refuse });
    if (text !== undefined) headers[header.toLowerCase()] = text;
  }
  const rest = Object.entries(fields).filter(([field]) => !named.has(field));
  // A body that one field is leaves the query to the others.
  const isQueried = !hasBody || body !== null;
  const queried = Object.entries(fields).filter(([field]) => query.includes(field));
  const pairs = [...queried, ...(isQueried ? rest : [])].flatMap(([field, value]) => queryPairs(field, value, refuse));
  const whole = pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
  if (whole.length > MAX_PATH_CHARS) {
    throw refuse("", `its path and query must be at most ${MAX_PATH_CHARS} characters; it has ${whole.length}`);
  }
  const text = bodyText({ fields, rest, body, hasBody });
  return { method, path: whole, headers: withType(headers, text), ...(text === undefined ? {} : { body: text }) };
}

/** Where a body may be there is one, though it be empty: services that read JSON read no absent one. */
function bodyText({
  fields,
  rest,
  body,
  hasBody,
}: {
  fields: Fields;
  rest: readonly (readonly [string, unknown])[];
  body: string | null;
  hasBody: boolean;
}): string | undefined {
  if (body !== null) return Object.hasOwn(fields, body) ? JSON.stringify(fields[body]) : undefined;
  return hasBody ? JSON.stringify(Object.fromEntries(rest)) : undefined;
}

/** An input that has no fields is a body, and no request names parts of it. */
function wholeBody(
  { method, path, query, headers, body }: ProvidedBy,
  input: unknown,
  { hasBody, refuse }: { hasBody: boolean; refuse: Refuse },
): ServiceCall {
  const names = path.includes("{") || query.length > 0 || Object.keys(headers).length > 0 || body !== null;
  if (!hasBody || names)
    throw refuse("", `it must be an object, whose fields the request is made of; it is ${sortOf(input)}`);
  return { method, path, headers: withType({ accept: ACCEPT }, ""), body: JSON.stringify(input) };
}

function asFields(input: unknown): Fields | undefined {
  // What has no input is called with none.
  if (input === null || input === undefined) return {};
  return typeof input === "object" && !Array.isArray(input) ? (input as Fields) : undefined;
}

function withType(headers: Record<string, string>, body: string | undefined): Record<string, string> {
  return body === undefined ? headers : { "content-type": "application/json", ...headers };
}

/** One segment's text, or a part of one. What URLs read as "here" and "above" is refused: it would lead to another path. */
function pathText(fields: Fields, field: string, refuse: Refuse): string {
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  const parts = Array.isArray(value) ? value : [value];
  if (parts.length === 0) throw refuse(field, "it is part of the path and must not be empty; it is an empty list");
  const texts = parts.map((part) => {
    if (part === undefined) throw refuse(field, "it is part of the path and must be there; it is missing");
    if (part === null || typeof part === "object") {
      throw refuse(field, `it is part of the path and must be a text, number or boolean; it is ${sortOf(part)}`);
    }
    return encode(String(part), field, refuse);
  });
  const text = texts.join(",");
  if (text === "") throw refuse(field, "it is part of the path and must not be empty; it is");
  if (/^\.{1,2}$/.test(text)) throw refuse(field, `it is part of the path and must be more than dots; it is "${text}"`);
  return text;
}

function queryPairs(field: string, value: unknown, refuse: Refuse): string[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value))
    return value.flatMap((item) =>
      Array.isArray(item) ? [pair(JSON.stringify(item))] : queryPairs(field, item, refuse),
    );
  return [pair(typeof value === "string" ? value : JSON.stringify(value))];

  function pair(text: string): string {
    return `${encode(field, field, refuse)}=${encode(text, field, refuse)}`;
  }
}

function headerText(
  header: string,
  field: string,
  { fields, refuse }: { fields: Fields; refuse: Refuse },
): string | undefined {
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (value === null || value === undefined) return undefined;
  const parts = Array.isArray(value) ? value : [value];
  const text = parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(", ");
  if (PRINTABLE.test(text)) return text;
  throw refuse(field, `it is the header "${header}" and must be printable ASCII on one line; it is not`);
}

function encode(text: string, field: string, refuse: Refuse): string {
  try {
    return encodeURIComponent(text);
  } catch {
    throw refuse(field, "it is part of the URL and must be well-formed Unicode; it has half of a character");
  }
}

type Refuse = (field: string, rule: string) => SwitchyardError;

function refuser(operation: string): Refuse {
  return (field, detail) => {
    const pointer = field === "" ? "" : `/${field.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const errors: Issue[] = [{ pointer, keyword: "provided_by", detail }];
    const what = field === "" ? "the input" : `the field "${field}"`;
    return new SwitchyardError("input_invalid", `Cannot call "${operation}" with ${what}: ${detail}`, { errors });
  };
}

function sortOf(value: unknown): string {
  return value === null
    ? "null"
    : Array.isArray(value)
      ? "a list"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
}

/** Parameters and body of an OpenAPI operation → the input type of an operation, and the request that is made of an input. */
import { fieldsOfRequestPath, fillRequestPath } from "../../src/model/request-path.ts";
import type { ProvidedBy } from "../../src/model/services.ts";
import { isObject, Obstacle, type Json } from "./_obstacle.ts";
import { chooseMedia, namesOf, type Media } from "./content.ts";
import { readParameters, type Parameter, type Reading } from "./parameters.ts";
import { mustBeObject, plainObject, type PlainObject } from "./plain-object.ts";
import type { Schema } from "./type-builder.ts";

export type Method = ProvidedBy["method"];
export type Request = {
  input: Schema;
  providedBy: Json;
  /** Inputs that the document shows, by the names that they have there. */
  examples: ReadonlyMap<string, { summary: string | undefined; value: unknown }>;
};

type Body = { media: Media; schema: Schema; required: boolean };
type Field = { parameter: Parameter; field: string };

export type RequestSource = {
  method: Method;
  path: string;
  parameters: readonly { value: unknown; file: string }[];
  body: unknown;
  file: string;
};

/** Throws Obstacle. */
export function readRequest(source: RequestSource, reading: Reading): Request {
  const { method } = source;
  const { list, moreQuery } = readParameters(source.parameters, reading);
  const parameters = [...list, ...undeclared(source.path, list)];
  const body = readBody(source, reading);
  const hasBody = method === "POST" || method === "PUT" || method === "PATCH";
  const queried = parameters.filter(({ place }) => place === "query").map(({ name }) => name);
  const plain = body === undefined ? undefined : flattened(body, parameters, reading);
  // Without parameters, the body of an object is the whole input, however it is made.
  if (body !== undefined && plain === undefined && parameters.length === 0 && body.required) {
    if (mustBeObject(body.schema, reading.types)) return wholeInput(source, body, reading);
  }
  const taken = new Set([...queried, ...Object.keys(plain?.properties ?? {})]);
  const field = body === undefined || plain !== undefined ? null : freeName("body", "request_body", taken);
  const fields = nameFields(parameters, taken);
  const properties: [string, Schema][] = fields.map(({ parameter, field: name }) => [name, parameter.schema]);
  const required = fields.flatMap(({ parameter, field: name }) => (parameter.required ? [name] : []));
  if (plain !== undefined) {
    properties.push(...Object.entries(plain.properties));
    required.push(...plain.required);
  }
  if (field !== null && body !== undefined) {
    properties.push([field, body.schema]);
    if (body.required) required.push(field);
  }
  const isQueried = !hasBody || field !== null;
  if (!isQueried && moreQuery !== undefined && moreQuery !== false) {
    reading.note("left out: further parameters of the query, which would go into the body");
  }
  const rest = plain === undefined ? (isQueried && moreQuery !== undefined ? moreQuery : false) : plain.rest;
  const input: Json = {
    ...plain?.more,
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required: [...new Set(required)] }),
    ...(rest === undefined ? {} : { additionalProperties: rest }),
  };
  return {
    input: reading.types.close(input),
    providedBy: providedBy(source, { fields, body: field, queried: hasBody ? queried : [] }),
    examples: examplesOf({ fields, body, field, required }),
  };
}

function readBody({ method, body, file }: RequestSource, reading: Reading): Body | undefined {
  if (body === undefined) return undefined;
  const found = reading.documents.settle(body, file);
  if (!isObject(found.value)) throw new Obstacle("its body must be an object");
  const { content } = found.value;
  const required = found.value["required"] === true;
  try {
    if (method === "GET" || method === "HEAD" || method === "DELETE")
      throw new Obstacle(`a ${method} can have no body here`);
    const media = chooseMedia(content, { file: found.file, side: "input", documents: reading.documents });
    if (media === undefined) throw new Obstacle(`its body is ${namesOf(content)}, and only JSON can be sent`);
    if (/\+json/i.test(media.name)) reading.note(`its body is ${media.name} and is sent as application/json`);
    const schema = media.schema === undefined ? true : reading.types.part(media.schema, media.file);
    return { media, schema, required };
  } catch (error) {
    if (!(error instanceof Obstacle) || required) throw error;
    reading.note(`left out: ${error.message}`);
    return undefined;
  }
}

/** The body's members as fields of the input, where none of them is one already. */
function flattened(body: Body, parameters: readonly Parameter[], { types }: Reading): PlainObject | undefined {
  const plain = plainObject(body.schema, types);
  if (plain === undefined || (!body.required && plain.required.length > 0)) return undefined;
  // Headers are named anew, they clash with nothing.
  const others = parameters.filter(({ place }) => place !== "header").map(({ name }) => name);
  return others.some((name) => Object.hasOwn(plain.properties, name)) ? undefined : plain;
}

function wholeInput(source: RequestSource, { schema, media }: Body, { types }: Reading): Request {
  return {
    input: types.close(schema),
    providedBy: providedBy(source, { fields: [], body: null, queried: [] }),
    examples: media.examples,
  };
}

/** Some documents say a parameter in the path and nowhere else. */
function undeclared(path: string, parameters: readonly Parameter[]): Parameter[] {
  const known = new Set(parameters.filter(({ place }) => place === "path").map(({ name }) => name));
  return fieldsOfRequestPath(path)
    .filter((name) => !known.has(name))
    .map((name) => ({ place: "path", name, required: true, schema: { type: "string" }, examples: new Map() }));
}

/** Those of the path that stand in it, and a name for each that no other has. Adds to `taken`. */
function nameFields(parameters: readonly Parameter[], taken: Set<string>): Field[] {
  return parameters.map((parameter) => {
    const { place, name } = parameter;
    if (place === "query") return { parameter, field: name };
    const plain = place === "header" ? name.toLowerCase().replaceAll("-", "_") : name;
    const field = freeName(plain, `${place}_${plain}`, taken);
    return { parameter, field };
  });
}

function freeName(name: string, otherwise: string, taken: Set<string>): string {
  let free = taken.has(name) ? otherwise : name;
  while (taken.has(free)) free += "_";
  taken.add(free);
  return free;
}

type Places = { fields: readonly Field[]; body: string | null; queried: readonly string[] };

/** Without what is the default. The exposure comes later. */
function providedBy({ method, path }: RequestSource, { fields, body, queried }: Places): Json {
  const inPath = new Map(
    fields.flatMap(({ parameter: { place, name }, field }) => (place === "path" ? [[name, field] as const] : [])),
  );
  const headers = fields.flatMap(({ parameter: { place, name }, field }) =>
    place === "header" ? [[name, field] as const] : [],
  );
  return {
    method,
    path: fillRequestPath(path, (name) => `{${inPath.get(name) ?? name}}`),
    ...(queried.length === 0 ? {} : { query: [...queried] }),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    ...(body === null ? {} : { body }),
  };
}

type Shown = { fields: readonly Field[]; body: Body | undefined; field: string | null; required: readonly string[] };

/** One for each example of the body; without a body one of what the parameters show, where that is enough. */
function examplesOf({ fields, body, field, required }: Shown): Request["examples"] {
  const shown = new Map<string, { summary: string | undefined; value: unknown }>();
  const bodies = [...(body?.media.examples ?? [])];
  if (bodies.length === 0) bodies.push(["", { summary: undefined, value: undefined }]);
  for (const [name, { summary, value: inBody }] of bodies) {
    const value: Json = {};
    for (const { parameter, field: own } of fields) {
      const { examples } = parameter;
      const [first] = examples.values();
      const example = examples.get(name) ?? first;
      if (example !== undefined) value[own] = example;
    }
    if (field !== null && inBody !== undefined) value[field] = inBody;
    else if (isObject(inBody)) Object.assign(value, inBody);
    const isShown = Object.keys(value).length > 0 && required.every((each) => Object.hasOwn(value, each));
    if (isShown) shown.set(name, { summary, value });
  }
  return shown;
}

/**
 * /registry/…: entries over HTTP. Each route calls the built-in function behind it — the function, never the operation's
 * row, which anybody with registry:write may edit.
 */
import type { Context } from "hono";
import { didYouMean } from "../../core/did-you-mean.ts";
import { SwitchyardError, toSwitchyardError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { KINDS, kindOfPlural, type Kind } from "../../model/entities.ts";
import { optional } from "../../registry/builtins/parse-input.ts";
import { readJson } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { isKnown, tagsOf } from "../etags.ts";

const encoder = new TextEncoder();

export async function list(context: RouteContext): Promise<Response> {
  const kind = kindOf(context);
  const { filter, limit, cursor } = context.req.query();
  const conditions = filter === undefined ? {} : conditionsOf(filter);
  return run(context, `list_${kind}`, {
    ...conditions,
    ...(limit === undefined ? {} : { limit: integerOf(limit, "limit") }),
    ...(cursor === undefined ? {} : { cursor }),
  });
}

export async function get(context: RouteContext): Promise<Response> {
  const { revision } = context.req.query();
  const response = await run(context, `get_${kindOf(context)}`, {
    name: nameOf(context),
    ...(revision === undefined ? {} : { revision: integerOf(revision, "revision") }),
  });
  const etag = response.headers.get("etag");
  const known = context.req.header("if-none-match");
  if (etag === null || known === undefined || !isKnown(etag, known)) return response;
  return new Response(null, { status: 304, headers: response.headers });
}

export async function put(context: RouteContext): Promise<Response> {
  const kind = kindOf(context);
  const body = objectOf((await readJson(context.req.raw)).value, "the body");
  const name = nameOf(context);
  if (body["name"] !== undefined && body["name"] !== name) {
    throw new SwitchyardError(
      "bad_request",
      `Cannot store "${name}": the body's name must be the path's; it is ${JSON.stringify(body["name"])}`,
    );
  }
  return run(context, `put_${kind}`, { ...body, name }, preconditions(context));
}

export async function patch(context: RouteContext): Promise<Response> {
  const patch = objectOf((await readJson(context.req.raw)).value, "the body");
  return run(context, `edit_${kindOf(context)}`, { name: nameOf(context), patch }, preconditions(context));
}

export async function remove(context: RouteContext): Promise<Response> {
  return run(context, `delete_${kindOf(context)}`, { name: nameOf(context) }, preconditions(context));
}

export async function duplicate(context: RouteContext): Promise<Response> {
  const patch = objectOf((await readJson(context.req.raw)).value, "the body");
  if ((context.req.header("if-match") ?? context.req.header("if-none-match")) !== undefined) {
    throw new SwitchyardError(
      "bad_request",
      "Cannot copy on a condition: a copy is always a new entry, so If-Match and If-None-Match would be ignored",
      { hint: "leave the header out" },
    );
  }
  return run(context, `duplicate_${kindOf(context)}`, { name: nameOf(context), patch });
}

export async function rollback(context: RouteContext): Promise<Response> {
  const body = objectOf((await readJson(context.req.raw)).value, "the body");
  return run(context, `rollback_${kindOf(context)}`, { ...body, name: nameOf(context) }, preconditions(context));
}

export async function revisions(context: RouteContext): Promise<Response> {
  const { limit, cursor } = context.req.query();
  return run(context, `list_${kindOf(context)}_revision`, {
    name: nameOf(context),
    ...(limit === undefined ? {} : { limit: integerOf(limit, "limit") }),
    ...(cursor === undefined ? {} : { cursor }),
  });
}

export async function changes(context: RouteContext): Promise<Response> {
  const { limit, cursor, kind, name, author, since, until } = context.req.query();
  return run(context, "list_change", {
    ...optional({ cursor, kind, name, author, since, until }),
    ...(limit === undefined ? {} : { limit: integerOf(limit, "limit") }),
  });
}

export async function change(context: RouteContext): Promise<Response> {
  return run(context, "get_change", { seq: integerOf(context.req.param("seq") ?? "", "seq") });
}

export async function audit(context: RouteContext): Promise<Response> {
  const { limit, cursor } = context.req.query();
  return run(context, "verify_audit", {
    ...optional({ cursor }),
    ...(limit === undefined ? {} : { limit: integerOf(limit, "limit") }),
  });
}

async function run(
  context: RouteContext,
  builtin: string,
  input: Record<string, unknown>,
  extra: Record<string, unknown> = {},
): Promise<Response> {
  const { platform, identity } = context.var;
  const result = await platform.runBuiltin(builtin, { ...input, ...extra }, identity.principal);
  return Response.json(result.output, {
    headers: {
      "cache-control": "no-store",
      ...(result.etag === undefined ? {} : { etag: `"${result.etag}"` }),
      ...(result.registryRevision === undefined ? {} : { "registry-revision": String(result.registryRevision) }),
    },
  });
}

/** `If-Match: "digest"` or `*`, and `If-None-Match: *`, as the built-ins take them. */
function preconditions(context: Context): Record<string, unknown> {
  const match = context.req.header("if-match");
  const noneMatch = context.req.header("if-none-match");
  if (noneMatch !== undefined && noneMatch !== "*") {
    throw new SwitchyardError(
      "bad_request",
      `Cannot read If-None-Match: on a write it can only be "*"; it is ${noneMatch.slice(0, 100)}`,
    );
  }
  const [tag, ...others] = match === undefined ? [] : tagsOf(match);
  if (others.length > 0 || tag?.startsWith("W/")) {
    throw new SwitchyardError(
      "bad_request",
      `Cannot read If-Match: it must be one strong ETag; it is ${match?.slice(0, 200)}`,
    );
  }
  const digest = tag?.replaceAll('"', "");
  if (digest !== undefined && !/^(?:[0-9a-f]{64}|\*)$/.test(digest)) {
    throw new SwitchyardError(
      "precondition_failed",
      `Cannot write: If-Match must be the entry's ETag; it is ${tag?.slice(0, 100)}, which no entry ever had`,
    );
  }
  return {
    ...(digest === undefined ? {} : { if_match: digest }),
    ...(noneMatch === undefined ? {} : { if_none_match: "*" }),
  };
}

function kindOf(context: Context): Kind {
  const plural = context.req.param("kind") ?? "";
  const kind = kindOfPlural(plural);
  if (kind !== undefined) return kind;
  const plurals = Object.values(KINDS).map((entry) => entry.plural);
  const near = didYouMean(plural, plurals);
  throw new SwitchyardError(
    "route_not_found",
    `Cannot find the kind "${plural.slice(0, 100)}": it must be one of ${plurals.join(", ")}`,
    near === undefined ? {} : { hint: `did you mean ${near}?` },
  );
}

function nameOf(context: Context): string {
  return context.req.param("name") ?? "";
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new SwitchyardError(
    "bad_request",
    `Cannot read ${what}: it must be a JSON object; it is ${value === null ? "null" : Array.isArray(value) ? "an array" : typeof value}`,
  );
}

/** `?filter={"name":{"op":"$eq","value":"x"}}`. Paging has parameters of its own, so it is no field to filter by. */
function conditionsOf(filter: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(encoder.encode(filter)).value;
  } catch (thrown) {
    throw new SwitchyardError("bad_request", `Cannot read the parameter filter: ${toSwitchyardError(thrown).message}`);
  }
  const { limit, cursor, ...conditions } = objectOf(value, "the parameter filter");
  if (limit === undefined && cursor === undefined) return conditions;
  throw new SwitchyardError(
    "bad_request",
    "Cannot filter by limit or cursor: a filter names fields of the entry; these are parameters beside it",
  );
}

function integerOf(text: string, parameter: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the parameter ${parameter}: it must be a whole number; it is "${text.slice(0, 100)}"`,
  );
}

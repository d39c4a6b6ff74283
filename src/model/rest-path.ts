/**
 * An operation's own route: `GET /people/{person_id}`. One method, one space, then segments that are either letters of
 * their own or a parameter in braces. What of a path is the same for every request is decided here, once, when it is
 * stored; matching is the registry's (path-table.ts).
 */

export const REST_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type RestMethod = (typeof REST_METHODS)[number];

export type RestSegment = { literal: string } | { parameter: string };
export type RestPath = { method: RestMethod; segments: readonly RestSegment[] };

/** Methods whose requests have a body to take parameters from. Of the others all stand in path and query. */
export const takesBody = (method: RestMethod): boolean => method !== "GET" && method !== "DELETE";

/**
 * First segments that no operation may take, in any case of letters: what the platform has routes under (a test holds
 * the table of routes to this list), and what it is going to.
 */
export const RESERVED_SEGMENTS: readonly string[] = [
  ".well-known",
  "agents",
  "artifacts",
  "audit",
  "changes",
  "deliveries",
  "docs",
  "environments",
  "executions",
  "health",
  "hooks",
  "internal",
  "jobs",
  "mcp",
  "metrics",
  "modules",
  "openapi.json",
  "ops",
  "pipelines",
  "registry",
  "runners",
  "schedules",
  "services",
  "streams",
  "webhooks",
  "workflows",
];

const MAX_CHARS = 512;
const MAX_SEGMENTS = 16;
/** What RFC 3986 calls unreserved: it is never written in another way. */
const LITERAL = /^[A-Za-z0-9._~-]+$/;
const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_-]{0,63})\}$/;

/** The path, or the rule that the text breaks. */
export function parseRestPath(text: string): RestPath | { rule: string } {
  if (text.length > MAX_CHARS) return { rule: `may have at most ${MAX_CHARS} characters` };
  const [method, path, ...more] = text.split(" ");
  const found = REST_METHODS.find((each) => each === method);
  if (found === undefined || path === undefined || more.length > 0 || !path.startsWith("/")) {
    return { rule: `must be one of ${REST_METHODS.join(", ")}, a space and a path: "GET /people/{person_id}"` };
  }
  const texts = path.slice(1).split("/");
  if (texts.length > MAX_SEGMENTS) return { rule: `may have at most ${MAX_SEGMENTS} segments` };
  const segments: RestSegment[] = [];
  const names = new Set<string>();
  for (const segment of texts) {
    const parameter = PARAMETER.exec(segment)?.[1];
    if (parameter !== undefined) {
      if (names.has(parameter)) return { rule: `must name each parameter once; {${parameter}} is there twice` };
      if (parameter === "__proto__") return { rule: "must not name a parameter __proto__" };
      names.add(parameter);
      segments.push({ parameter });
    } else if (LITERAL.test(segment) && segment !== "." && segment !== "..") segments.push({ literal: segment });
    else return { rule: `must have segments of A-Z a-z 0-9 . _ ~ - or one {parameter}; one is "${segment}"` };
  }
  const [first] = segments;
  if (first === undefined || !("literal" in first)) return { rule: "must begin with a segment that is no parameter" };
  if (RESERVED_SEGMENTS.includes(first.literal.toLowerCase())) {
    return { rule: `must not begin with /${first.literal}, which is the platform's` };
  }
  return { method: found, segments };
}

/** Of a path that is stored. */
export function restPathOf(text: string): RestPath {
  const path = parseRestPath(text);
  if ("rule" in path) throw new TypeError(`The stored path "${text}" ${path.rule}`);
  return path;
}

export function parametersOf({ segments }: RestPath): string[] {
  return segments.flatMap((segment) => ("parameter" in segment ? [segment.parameter] : []));
}

/** What two paths have in common that would take the same requests: the names of parameters say nothing. */
export function shapeOf({ method, segments }: RestPath): string {
  return `${method} /${segments.map((segment) => ("literal" in segment ? segment.literal : "{}")).join("/")}`;
}

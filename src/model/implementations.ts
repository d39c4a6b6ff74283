/** What code may be that is not stored here, and what places may have: parts of operations, services and environments. */
import * as v from "valibot";

/** Any JSON object, taken as it is: v.record() would silently drop a member named "constructor" or "prototype". */
export const JsonObjectSchema = v.custom<Record<string, unknown>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "must be an object",
);

const words = v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))), v.maxLength(256));
const shortText = v.pipe(v.string(), v.minLength(1), v.maxLength(2048));

/** Any program: the input as JSON on stdin, the output as JSON on stdout, stderr is the log, an exit code but 0 a failure. */
export const ProcessSchema = v.strictObject({
  /** The program and its arguments; no shell reads them. */
  command: v.pipe(words, v.minLength(1)),
});
export type ProcessImplementation = v.InferOutput<typeof ProcessSchema>;

/** A container that the team already has: as a process where it runs beside us, as a job that calls back elsewhere. */
export const ContainerSchema = v.strictObject({
  image: shortText,
  /** In place of what the image starts. */
  command: v.optional(v.nullable(words), null),
});
export type ContainerImplementation = v.InferOutput<typeof ContainerSchema>;

/** A service or function that the team already has: the input is the body of a POST, the output that of the answer. */
export const HttpSchema = v.strictObject({
  /** A whole URL, or a path under the environment's own address. */
  url: v.pipe(shortText, v.regex(/^(?:https?:\/\/|\/)/, "must begin with https://, http:// or /")),
  method: v.optional(v.picklist(["POST", "PUT", "PATCH"]), "POST"),
});
export type HttpImplementation = v.InferOutput<typeof HttpSchema>;

/** A Lambda function that the team already has. */
export const LambdaSchema = v.strictObject({
  /** Its name or ARN. */
  function: v.pipe(v.string(), v.regex(/^[A-Za-z0-9:_-]{1,170}$/, "must be a function's name or ARN")),
  /** A version or an alias. null: $LATEST. */
  qualifier: v.optional(v.nullable(v.pipe(v.string(), v.regex(/^[A-Za-z0-9$_-]{1,128}$/))), null),
});
export type LambdaImplementation = v.InferOutput<typeof LambdaSchema>;

/** Sorts of code that is not stored here: `{process: {…}}`, `{container: {…}}`, `{http: {…}}`, `{lambda: {…}}`. */
export const ExternalSchema = v.union([
  v.strictObject({ process: ProcessSchema }),
  v.strictObject({ container: ContainerSchema }),
  v.strictObject({ http: HttpSchema }),
  v.strictObject({ lambda: LambdaSchema }),
]);
export type ExternalImplementation = v.InferOutput<typeof ExternalSchema>;

/** Of an environment: what it has. Of an operation: what it needs; a number is the least that is enough. */
export const CapabilitiesSchema = v.pipe(
  v.record(
    v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_.-]{0,63}$/, "must be a lower-case name")),
    v.union([v.boolean(), v.pipe(v.number(), v.finite()), v.pipe(v.string(), v.minLength(1), v.maxLength(256))]),
  ),
  v.check((all) => Object.keys(all).length <= 64, "must be at most 64 capabilities"),
);

/**
 * The settings of an operation that only make sense together. Held whenever a revision is made: by a write, a copy, a
 * rollback, and when a type in use is edited.
 */
import * as v from "valibot";
import { DEFAULT_RETRY, OperationSchema, type Operation } from "../../model/entities.ts";
import type { Json } from "../schema.ts";
import { checkPathParameters, checkPathText } from "./operation-path.ts";
import { checkRequest } from "./operation-request.ts";
import { INLINE, type OperationResolved } from "./operation-resolved.ts";
import { pointerFits } from "./pointer-fits.ts";
import { refuse } from "./rules.ts";

/** The default of each field that has one. */
export const OPERATION_DEFAULTS: Json = Object.fromEntries(
  Object.entries(v.getDefaults(OperationSchema)).filter(([, usual]) => usual !== undefined),
);

/** Manifests stored by earlier versions of the platform lack the fields that came later. */
export function withDefaults(manifest: Json): Operation {
  const missing = Object.entries(OPERATION_DEFAULTS).filter(([field]) => !Object.hasOwn(manifest, field));
  return { ...manifest, ...Object.fromEntries(missing) } as Operation;
}

/** What can be said without reading another row. Throws setting_unsupported or definition_invalid. */
export function checkSettings(manifest: Operation): void {
  const { name } = manifest;
  if (Array.isArray(manifest.environment) && manifest.environment.length === 0) {
    throw refuse(
      "definition_invalid",
      "/environment",
      `Cannot store the environment of "${name}": it must be a name, names, or null for ${INLINE}; it is an empty list`,
    );
  }
  checkPathText(manifest);
  checkAsync(manifest);
  checkRetry(manifest);
  checkAnnotations(manifest);
}

function checkAsync({ name, is_async: isAsync, concurrency, record }: Operation): void {
  if (!isAsync && concurrency !== null) {
    throw refuse(
      "setting_unsupported",
      "/concurrency",
      `Cannot store "concurrency" of "${name}": a synchronous call never waits in a queue, so is_async must be true; it is false`,
      "set is_async=true with it, or leave concurrency null",
    );
  }
  if (isAsync && record !== "all") {
    throw refuse(
      "setting_unsupported",
      "/record",
      `Cannot store "record" of "${name}": every asynchronous execution leaves a record, so it must be "all"; it is "${record}"`,
      "set record=all with it; retention_ms says how long records are kept",
    );
  }
}

function checkRetry({ name, retry }: Operation): void {
  if (retry === null || retry.initial_ms <= retry.max_ms) return;
  throw refuse(
    "definition_invalid",
    "/retry/initial_ms",
    `Cannot store "retry" of "${name}": initial_ms must be at most max_ms, which is ${retry.max_ms}; it is ${retry.initial_ms}`,
    `what is left out is ${JSON.stringify(DEFAULT_RETRY)}`,
  );
}

function checkAnnotations({ name, annotations }: Operation): void {
  if (annotations?.read_only !== true) return;
  for (const hint of ["destructive", "idempotent"] as const) {
    if (annotations[hint] === null) continue;
    throw refuse(
      "setting_unsupported",
      `/annotations/${hint}`,
      `Cannot store the annotations of "${name}": what is read_only has no effect to say more of, so ${hint} must be null; it is ${annotations[hint]}`,
      `leave ${hint} out, or set read_only to false`,
    );
  }
}

/** What depends on the code and on the types in force. Throws setting_unsupported or definition_invalid. */
export function checkResolvedSettings(manifest: Operation, resolved: OperationResolved): void {
  const { name, batch, concurrency } = manifest;
  const { implementation, input } = resolved;
  checkPathParameters(manifest, resolved);
  if (implementation.kind === "service") checkRequest(name, implementation, input.closed);
  if (batch && implementation.kind === "builtin") {
    throw refuse(
      "setting_unsupported",
      "/batch",
      `Cannot store "batch" of "${name}": a function of the platform takes one input a call, so it must be false; it is true`,
      "call it for each item from a batch operation of your own",
    );
  }
  const key = concurrency?.key ?? null;
  if (key === null) return;
  if (batch) {
    throw refuse(
      "setting_unsupported",
      "/concurrency/key",
      `Cannot store "concurrency" of "${name}": the input of a batch is a list, in which a key finds nothing, so key must be null; it is ${JSON.stringify(key)}`,
    );
  }
  if (pointerFits(input.closed, key)) return;
  throw refuse(
    "definition_invalid",
    "/concurrency/key",
    `Cannot store "concurrency" of "${name}": key must lead to something that the input type can have; it is ${JSON.stringify(key)}`,
    `opctl describe operation ${name} shows the input type`,
  );
}

/** Operations: every name in the manifest is resolved here, once, so that the revision runs the same for ever. */
import type { Module, Operation } from "../../model/entities.ts";
import type { ExternalImplementation } from "../../model/implementations.ts";
import type { Implementation } from "../../model/resolved.ts";
import { grantSecrets, listedSecrets } from "./grant-secrets.ts";
import { checkExamples } from "./operation-examples.ts";
import { checkPathIsFree } from "./operation-path.ts";
import { checkPlaces } from "./operation-places.ts";
import { usesOf, type OperationResolved } from "./operation-resolved.ts";
import { checkResolvedSettings, checkSettings, withDefaults } from "./operation-settings.ts";
import { settleSide } from "./operation-types.ts";
import { nearest, refuse, type KindRules, type Settled, type WriteContext } from "./rules.ts";

export const operationRules: KindRules<"operation"> = {
  async settle(given, context) {
    const manifest = withoutCopiedPath(given, context);
    checkSettings(manifest);
    const { draft } = context;
    await checkPathIsFree(manifest, draft);
    const { implementation, code } = await implement(manifest, context);
    await checkPlaces(manifest, implementation, context);
    await grantSecrets(secretsOf(manifest), context);
    const input = await settleSide(draft, manifest.input_type, { code: code.input, pointer: "/input_type" });
    const output = await settleSide(draft, manifest.output_type, { code: code.output, pointer: "/output_type" });
    const resolved: OperationResolved = { implementation, code, input: input.side, output: output.side };
    checkResolvedSettings(manifest, resolved);
    await checkExamples(manifest, resolved);
    const closed = { ...manifest, input_type: input.reference, output_type: output.reference };
    return { manifest: closed, resolved, uses: usesOf(closed, resolved) };
  },

  /** The stored hashes come back as they were; whoever brings them back needs the same rights as a writer. */
  async restore(stored, resolved, context): Promise<Settled> {
    const manifest = withDefaults(stored);
    checkSettings(manifest);
    await checkPathIsFree(manifest, context.draft);
    checkResolvedSettings(manifest, resolved as OperationResolved);
    await checkExamples(manifest, resolved as OperationResolved);
    await grantSecrets(secretsOf(manifest), context);
    // Code and types are stored with the revision; environments and secrets are looked up when it runs.
    await checkPlaces(manifest, (resolved as OperationResolved).implementation, context);
    const uses = usesOf(manifest, resolved as OperationResolved);
    return { manifest, resolved, uses };
  },
};

/** A path is one operation's: a copy is called by its name until somebody gives it a path of its own. */
function withoutCopiedPath(manifest: Operation, { before, basis, touched }: WriteContext): Operation {
  const isCopy = before === undefined && basis !== undefined;
  return isCopy && !touched.has("path") ? { ...manifest, path: null } : manifest;
}

async function implement(
  manifest: Operation,
  context: WriteContext,
): Promise<Pick<OperationResolved, "implementation" | "code">> {
  const { implemented_at: implementedAt, provided_by: providedBy } = manifest;
  // An edit of a description must not bring in newer code: only a write that says implemented_at resolves it.
  if (context.basis !== undefined && !context.touched.has("implemented_at") && !context.touched.has("provided_by")) {
    const { implementation, code } = context.basis.resolved as OperationResolved;
    return { implementation, code };
  }
  if ((implementedAt === null) === (providedBy === null)) {
    throw refuse(
      "definition_invalid",
      "/implemented_at",
      `Cannot store the operation "${manifest.name}": it must have either implemented_at or provided_by; it has ${implementedAt === null ? "neither" : "both"}`,
      implementedAt === null
        ? '-s implemented_at=MODULE:EXPORT names code, -s provided_by=\'{"exposure": NAME, "path": …}\' a service\'s request'
        : "-s implemented_at=null or -s provided_by=null takes one away",
    );
  }
  if (providedBy !== null) return { implementation: { kind: "service", ...providedBy }, code: UNTYPED };
  if (implementedAt === null) throw new TypeError("one of the two is there");
  if (typeof implementedAt !== "string") return { implementation: externalOf(implementedAt), code: UNTYPED };
  const separator = implementedAt.indexOf(":");
  const module = implementedAt.slice(0, separator);
  const name = implementedAt.slice(separator + 1);
  if (module === "builtin") {
    const code = context.ports.builtin(name);
    if (code === undefined) {
      throw refuse(
        "module_not_found",
        "/implemented_at",
        `Cannot use "${implementedAt}": it must be a function of the platform; there is none of that name`,
      );
    }
    return { implementation: { kind: "builtin", function: name }, code };
  }
  const row = await context.draft.row("module", module);
  if (row === undefined) {
    throw refuse(
      "module_not_found",
      "/implemented_at",
      `Cannot use "${implementedAt}": the module "${module}" must be stored; it is not`,
      "opctl deploy stores a module and its operation",
    );
  }
  const {
    sha256,
    exports,
    language = "javascript",
  } = row.manifest as Partial<Module> & Pick<Module, "sha256" | "exports">;
  const found = Object.hasOwn(exports, name) ? exports[name] : undefined;
  if (found === undefined) {
    throw refuse(
      "module_not_found",
      "/implemented_at",
      `Cannot use "${implementedAt}": it must be an export of the module "${module}"; it exports ${Object.keys(exports).join(", ") || "nothing"}`,
      nearest(name, Object.keys(exports)),
    );
  }
  return {
    implementation: { kind: "module", module, sha256, export: name, language },
    code: { input: found.input, output: found.output },
  };
}

/** What is not code of ours says nothing of its types: the row does, or they are any. */
const UNTYPED = { input: { schema: true }, output: { schema: true } } as const;

function externalOf(external: ExternalImplementation): Exclude<Implementation, { kind: "module" | "builtin" }> {
  if ("process" in external) return { kind: "process", ...external.process };
  if ("container" in external) return { kind: "container", ...external.container };
  if ("http" in external) return { kind: "http", ...external.http };
  return { kind: "lambda", ...external.lambda };
}

function secretsOf({ name, group, secrets }: Operation): Parameters<typeof grantSecrets>[0] {
  return { what: `the operation "${name}"`, group, secrets: listedSecrets(secrets) };
}

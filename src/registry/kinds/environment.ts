/** Environments: the adapter must be one that is wired, and must know every setting; what it would ignore is refused. */
import * as v from "valibot";
import { issuesOf } from "../../model/issues.ts";
import type { Environment, Kind } from "../../model/entities.ts";
import { runnableOf, type AdapterDescription } from "../../model/environment.ts";
import { SwitchyardError, type Issue } from "../../core/errors.ts";
import { sortOf, type ServiceRow } from "../../model/services.ts";
import type { Draft, Row } from "../draft.ts";
import { implementationOf, type OperationResolved } from "./operation-resolved.ts";
import { named, nearest, refuse, type KindRules, type WriteContext } from "./rules.ts";

export const environmentRules: KindRules<"environment"> = {
  // Nothing is resolved here, so bringing a revision back is writing it again.
  restore: (manifest, _resolved, context) =>
    environmentRules.settle(
      { ...manifest, secrets: manifest.secrets ?? {}, capabilities: manifest.capabilities ?? {} },
      context,
    ),
  async settle(manifest, context) {
    const { ports, draft, before } = context;
    const adapter = ports.adapters.find(({ name }) => name === manifest.adapter);
    if (adapter === undefined) {
      const names = ports.adapters.map(({ name }) => name);
      throw refuse(
        "definition_invalid",
        "/adapter",
        `Cannot store the environment "${manifest.name}": its adapter must be installed; installed are ${names.join(", ")}`,
        nearest(manifest.adapter, names),
      );
    }
    const config = checkConfig(manifest, adapter);
    await checkSecrets(manifest, adapter, context);
    if (before !== undefined && (before.manifest as Environment).adapter !== adapter.name)
      await checkUsers(before, adapter, context);
    const uses = Object.values(manifest.secrets).map((name) => ({ kind: "secret", name, written: true }) as const);
    const unique = uses.filter(({ name }, place) => uses.findIndex((use) => use.name === name) === place);
    for (const { name } of unique) await named(draft, "secret", name, "/secrets");
    return { manifest: { ...manifest, config }, resolved: {}, uses: unique };
  },
};

function checkConfig({ name, config }: Environment, adapter: AdapterDescription): Record<string, unknown> {
  const parsed = v.safeParse(adapter.config, config);
  if (parsed.success) return parsed.output;
  const { issues, hint } = issuesOf(parsed.issues, adapter.config);
  const errors = issues.map((issue): Issue => ({ ...issue, pointer: `/config${issue.pointer}` }));
  const unknown = issues[0].keyword === "strict_object";
  throw new SwitchyardError(
    unknown ? "setting_unsupported" : "definition_invalid",
    `Cannot store the environment "${name}": its config must be one that the adapter "${adapter.name}" takes; it breaks that in ${errors.length} place${errors.length === 1 ? "" : "s"}`,
    { errors, ...(hint === undefined ? {} : { hint }) },
  );
}

async function checkSecrets(
  { name, secrets }: Environment,
  adapter: AdapterDescription,
  { draft }: WriteContext,
): Promise<void> {
  for (const [word, secret] of Object.entries(secrets)) {
    if (!Object.hasOwn(adapter.secrets, word)) {
      const known = Object.keys(adapter.secrets);
      throw refuse(
        "setting_unsupported",
        `/secrets/${word}`,
        `Cannot store the environment "${name}": the adapter "${adapter.name}" takes the secrets ${known.join(", ") || "none"}; "${word}" is not one of them`,
        nearest(word, known),
      );
    }
    await named(draft, "secret", secret, `/secrets/${word}`);
  }
  for (const [word, { required, summary }] of Object.entries(adapter.secrets)) {
    if (!required || Object.hasOwn(secrets, word)) continue;
    throw refuse(
      "definition_invalid",
      "/secrets",
      `Cannot store the environment "${name}": the adapter "${adapter.name}" needs the secret "${word}" (${summary}); it has none`,
      `opctl secret set NAME, then {"secrets": {"${word}": "NAME"}}`,
    );
  }
}

/** Operations and services that name it must still be able to run there. */
async function checkUsers(row: Row, adapter: AdapterDescription, { draft }: WriteContext): Promise<void> {
  for (const user of await draft.users("environment", row.name)) {
    const unfit = await unfitOf(user, adapter, draft);
    if (unfit === undefined) continue;
    throw refuse(
      "entity_in_use",
      "/adapter",
      `Cannot change the adapter of "${row.name}": each operation and service that names it must run there; the adapter "${adapter.name}" does not run ${unfit}`,
    );
  }
}

async function unfitOf(
  { kind, name }: { kind: Kind; name: string },
  adapter: AdapterDescription,
  draft: Draft,
): Promise<string | undefined> {
  if (kind === "operation") {
    const operation = await draft.row(kind, name);
    if (operation === undefined) return undefined;
    const runnable = runnableOf(implementationOf(operation.resolved as OperationResolved));
    return runnable === "builtin" || adapter.runs.includes(runnable) ? undefined : `${name}, which is a ${runnable}`;
  }
  const service = kind === "service" ? await draft.row(kind, name) : undefined;
  if (service === undefined) return undefined;
  const sort = sortOf(service.manifest as ServiceRow);
  const runs = adapter.services?.runs ?? [];
  if (sort === null ? runs.length > 0 : runs.includes(sort)) return undefined;
  return `the service ${name}${sort === null ? "" : `, which is a${sort === "address" ? "n" : ""} ${sort}`}`;
}

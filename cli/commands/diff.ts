/** `opctl diff`: what `apply` would do, as a unified diff from the registry to the manifests. Exit code 1: it differs. */
import type { Command } from "commander";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { contentOf } from "../manifests/manifest.ts";
import { planApply, type Step } from "../manifests/plan.ts";
import { loadSources } from "../manifests/sources.ts";
import { renderDiff } from "../render/diff.ts";
import type { JsonObject } from "../registry.ts";
import { toYaml } from "../yaml.ts";

type Options = { file: string[]; prune?: boolean };

export const command: CommandModule = {
  define(command: Command) {
    command
      .requiredOption("-f, --file <path>", "a file, a folder with all below it, or - ; repeatable", collect)
      .option("--prune", "also show what `apply --prune` would delete")
      .addHelpText("after", "\nExit code 0: the registry matches. 1: it differs. Greater: the comparison failed.")
      .action(async (options: Options) => {
        await diff(contextOf(command), options);
      });
    examples(command, [
      ["opctl diff -f manifests/", "what `apply` would change"],
      ["opctl diff -f manifests/ --quiet || echo drifted", "only the exit code and the diff"],
    ]);
  },
};

async function diff(context: Context, options: Options): Promise<void> {
  const steps = await planApply(context.client, loadSources(options.file), options.prune === true);
  const different = steps.filter(({ action }) => action !== "unchanged");
  if (context.globals.json) {
    context.output.value(
      different.map((step) => ({
        ...nameOf(step),
        action: step.action,
        ...(step.action === "change" ? { patch: step.patch ?? null } : {}),
      })),
    );
  } else {
    for (const step of different) context.output.data(show(step));
  }
  if (different.length > 0) context.exitWith(1);
  else context.output.say(`The registry matches all ${steps.length} manifests.`);
}

function nameOf(step: Step): { kind: string; name: string } {
  return step.action === "delete"
    ? { kind: step.kind, name: step.entry.name }
    : { kind: step.document.kind, name: step.document.name };
}

function show(step: Step): string {
  const { kind, name } = nameOf(step);
  const before =
    step.action === "change"
      ? yamlOf(contentOf(step.read.entry))
      : step.action === "delete"
        ? yamlOf(contentOf(step.entry))
        : "";
  const after = step.action === "delete" ? "" : yamlOf(step.document.content);
  const names = {
    before: step.action === "create" ? "/dev/null" : `registry/${kind}/${name}`,
    after: step.action === "delete" ? "/dev/null" : step.document.source,
  };
  const text = renderDiff(before, after, names);
  if (step.action !== "change" || step.newCode !== true) return text;
  const note = `# ${kind} ${name}: the code behind ${step.document.content["implemented_at"] as string} is newer than the one it is pinned to`;
  return text === "" ? note : `${text}\n${note}`;
}

/** Keys in one order on both sides: their order means nothing and would show as a difference. */
function yamlOf(content: JsonObject): string {
  return toYaml(Object.fromEntries(Object.entries(content).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

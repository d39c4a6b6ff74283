/**
 * `opctl apply`: makes the registry match manifests. Not one transaction: each entry is a write of its own, reported
 * when it is done, and a refused one stops the rest; running it again goes on from there.
 */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { carryOut } from "../manifests/carry-out.ts";
import { planApply, type Step } from "../manifests/plan.ts";
import { loadSources } from "../manifests/sources.ts";
import { sayWarnings } from "../warnings.ts";

type Options = { file: string[]; prune?: boolean; dryRun?: boolean };
type Line = { kind: string; name: string; action: string; revision?: number };

export const command: CommandModule = {
  define(command: Command) {
    command
      .requiredOption("-f, --file <path>", "a file, a folder with all below it, or - ; repeatable", collect)
      .option(
        "--prune",
        "also delete users' entries of the manifests' kinds that no manifest names; never tokens or secrets",
      )
      .option("--dry-run", "show what would be done, write nothing")
      .action(async (options: Options) => {
        await apply(contextOf(command), options);
      });
    examples(command, [
      ["opctl apply -f manifests/", "create and change what differs; delete nothing"],
      ["opctl apply -f manifests/ --prune --dry-run", "what pruning would delete"],
      ["opctl export | opctl --url $TEST --token $T apply -f -", "promote to another stage"],
    ]);
  },
};

async function apply(context: Context, options: Options): Promise<void> {
  const steps = await planApply(context.client, loadSources(options.file), options.prune === true);
  const lines: Line[] = [];
  const report = (line: Line): void => {
    lines.push(line);
    if (!context.globals.json) context.output.data(describe(line, options.dryRun === true));
  };
  for (const [index, step] of steps.entries()) {
    const kind = step.action === "delete" ? step.kind : step.document.kind;
    const name = step.action === "delete" ? step.entry.name : step.document.name;
    if (options.dryRun === true) {
      report({ kind, name, action: DONE[step.action] });
      continue;
    }
    try {
      const read = await carryOut(context.client, step);
      if (read !== undefined) sayWarnings(context.output, kind, read.entry);
      report({
        kind,
        name,
        action: outcomeOf(step, read?.entry.meta.revision),
        ...(read === undefined ? {} : { revision: read.entry.meta.revision }),
      });
    } catch (error) {
      if (context.globals.json) context.output.value(lines);
      throw error instanceof SwitchyardError ? stopped(error, { kind, name, index, of: steps.length }) : error;
    }
  }
  if (context.globals.json) context.output.value(lines);
  else context.output.say(summary(lines, options.dryRun === true));
}

const DONE = {
  create: "created",
  change: "changed",
  unchanged: "unchanged",
  delete: "deleted",
} as const satisfies Record<Step["action"], string>;

/** The registry makes no revision of a write that changes nothing (a type that another write brought along). */
function outcomeOf(step: Step, revision: number | undefined): string {
  if (step.action === "change" && step.read.entry.meta.revision === revision) return DONE.unchanged;
  return DONE[step.action];
}

function describe({ kind, name, action, revision }: Line, dryRun: boolean): string {
  if (dryRun) return `${kind} ${name}: ${action === DONE.unchanged ? action : `would be ${action}`}`;
  return `${kind} ${name}: ${action}${revision === undefined ? "" : ` (revision ${revision})`}`;
}

function summary(lines: readonly Line[], dryRun: boolean): string {
  const counts = Object.values(DONE)
    .map((action) => [lines.filter((line) => line.action === action).length, action] as const)
    .filter(([count]) => count > 0)
    .map(([count, action]) => `${count} ${action}`);
  return `${dryRun ? "Nothing was written. It would be: " : ""}${counts.join(", ")}`;
}

type Place = { kind: string; name: string; index: number; of: number };

function stopped(error: SwitchyardError, { kind, name, index, of }: Place): SwitchyardError {
  const rest = `Stopped at ${kind} ${name}, ${index} of ${of} done. Mend it and run the same command again: it goes on from there.`;
  return new SwitchyardError(error.code, error.message, {
    hint: error.hint === undefined ? rest : `${error.hint}\n${rest}`,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    cause: error,
  });
}

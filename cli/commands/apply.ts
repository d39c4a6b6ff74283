/**
 * `opctl apply`: makes the registry match manifests. Not one transaction: each entry is a write of its own, reported
 * when it is done, and one that is refused for good stops the rest; running it again goes on from there.
 */
import type { Command } from "commander";
import { collect, contextOf, examples, type CommandModule } from "../command.ts";
import { applyDocuments } from "../manifests/apply-documents.ts";
import { loadSources } from "../manifests/sources.ts";

type Options = { file: string[]; prune?: boolean; dryRun?: boolean };

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
        await applyDocuments(contextOf(command), loadSources(options.file), options);
      });
    examples(command, [
      ["opctl apply -f manifests/", "create and change what differs; delete nothing"],
      ["opctl apply -f manifests/ --prune --dry-run", "what pruning would delete"],
      ["opctl export | opctl --url $TEST --token $T apply -f -", "promote to another stage"],
    ]);
  },
};

/** `opctl artifact`: what executions have stored. */
import type { Command } from "commander";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { fetchArtifact } from "../executions/fetch-artifact.ts";

export const command: CommandModule = {
  define(artifact: Command) {
    const get = artifact
      .command("get")
      .description("fetch an artifact's content, checked against its SHA-256")
      .argument("<id>", "the artifact")
      .argument("[file]", "where to write it; - or nothing is stdout")
      .option("--force", "replace a file that is there")
      .action(async (id: string, file: string | undefined, options: { force?: boolean }) => {
        await fetchArtifact(contextOf(get), id, {
          file: file === "-" ? undefined : file,
          force: options.force === true,
        });
      });
    examples(get, [
      ["opctl artifact get ar_… out.json", "to a file; one that is there is not replaced"],
      ["opctl artifact get ar_… | jq .", "to stdout"],
      ["opctl get artifacts --execution ex_…", "which there are"],
    ]);
  },
};

/** `opctl __complete -- WORDS…`: what could stand in place of the last word, one a line. Asked by the shells. */
import type { Command } from "commander";
import { completeWord } from "../complete.ts";
import { contextOf, type CommandModule } from "../command.ts";
import { createProgram } from "../main.ts";
import type { Client } from "../client.ts";
import type { Kind } from "../../src/model/entities.ts";
import { listChanges } from "../audit/api.ts";
import { listArtifacts, listDeliveries, listExecutions } from "../executions/api.ts";
import { parseAnyKind, type RecordKind } from "../executions/records.ts";
import { listEntries } from "../registry.ts";

/** A shell that waits for a platform that is away would be worse than no names. Milliseconds. */
const PATIENCE_MS = 1500;
/** Ids that are offered: the newest, because the older ones are looked up and not typed. */
const IDS = 20;

export const command: CommandModule = {
  define(command: Command) {
    command.argument("[words...]", "the words after opctl, the last one unfinished").action(async (words: string[]) => {
      // Behind `--` no word is an option any more, but those that say where the platform is still count.
      for (const name of ["url", "token", "state"]) {
        const at = words.indexOf(`--${name}`);
        if (at >= 0 && words[at + 1]) command.parent?.setOptionValue(name, words[at + 1]);
      }
      const context = contextOf(command);
      const program = await createProgram(words);
      const found = await completeWord(program, words, async (kindWord, prefix) => {
        try {
          const kind = parseAnyKind(kindWord, "get");
          return "entry" in kind
            ? await namesOf(context.client, kind.entry, prefix)
            : await newestIds(context.client, kind.record);
        } catch {
          return []; // A Tab is no place for an error.
        }
      });
      if (found.length > 0) context.output.data(found.join("\n"));
    });
  },
};

async function namesOf(client: Client, kind: Kind, prefix: string): Promise<string[]> {
  const names: string[] = [];
  const filter = { name: { op: "$like", value: `${prefix}%` } };
  const giveUpAt = Date.now() + PATIENCE_MS;
  for await (const { name } of listEntries(client, kind, { filter })) {
    names.push(name);
    if (Date.now() > giveUpAt) break;
  }
  return names;
}

async function newestIds(client: Client, kind: RecordKind): Promise<string[]> {
  const query = new URLSearchParams();
  if (kind === "change") return (await listChanges(client, query, IDS)).items.map(({ seq }) => String(seq));
  const lists = { execution: listExecutions, artifact: listArtifacts, delivery: listDeliveries };
  return (await lists[kind](client, query, IDS)).items.map(({ id }) => id);
}

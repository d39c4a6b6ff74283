/**
 * `opctl audit`: whether the registry is what its change log says, and whether the log is the one that it was. Exit code
 * 1: it is not.
 */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Broken, Head, Verdict } from "../../src/registry/audit/verify.ts";
import { listChanges, readChanges, verifyPage } from "../audit/api.ts";
import { checkChain, noteOf, tooShort, type Chain } from "../audit/chain.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { openRegistry } from "../open-registry.ts";

type Options = { head?: string; databaseUrl?: string };

/** Rows that one look into the database asks for. */
const PAGE = 1000;

export const command: CommandModule = {
  define(audit: Command) {
    const verify = audit
      .command("verify")
      .description("hold every entry, revision and change against the chain of the log")
      .option("--head <seq:hash>", "and against a head that was noted earlier")
      .option(
        "--database-url <url>",
        "look into the database itself (libsql://…, https://… or file:…), past the platform",
      )
      .addHelpText("after", "\nExit code 0: all holds. 1: it does not; the first place is named.")
      .action(async (options: Options) => {
        await verifyRegistry(contextOf(verify), options);
      });
    examples(verify, [
      ["opctl audit verify", "over HTTP; the chain is computed here"],
      ['opctl audit verify --head "$(cat audit-head)"', "also finds a log that was cut short or written anew"],
      ["opctl audit verify --database-url file:.switchyard/registry.db", "without believing the platform"],
    ]);
    const head = audit
      .command("head")
      .description("print the newest change as SEQ:HASH, to be noted elsewhere")
      .action(async () => {
        await printHead(contextOf(head));
      });
    examples(head, [["opctl audit head >audit-head", "and keep it where the registry's owner cannot write"]]);
    examples(audit, [
      ["opctl audit head >audit-head", ""],
      ['opctl audit verify --head "$(cat audit-head)"', ""],
      ["opctl get changes", "the log itself"],
    ]);
  },
};

async function verifyRegistry(context: Context, options: Options): Promise<void> {
  const noted = options.head === undefined ? undefined : parseHead(options.head);
  const { changes, head, broken } =
    options.databaseUrl === undefined
      ? await overHttp(context, noted)
      : await inDatabase(context, options.databaseUrl, noted);
  if (context.globals.json) {
    context.output.value({ ok: broken === undefined, changes, head: head ?? null, broken: broken ?? null });
  } else if (broken !== undefined) context.output.data(broken.detail);
  else context.output.data(`${changes} changes hold; the head is ${head === undefined ? "empty" : textOf(head)}`);
  if (broken !== undefined) context.exitWith(1);
}

/** The chain here, the rest by the platform: revisions and secrets' seals are not for everybody who may read. */
async function overHttp(context: Context, noted: Head | undefined): Promise<Chain> {
  const { client, output } = context;
  const progress = (checked: number): void => output.progress(`${checked} changes`);
  const chain = await checkChain(readChanges(client), noted, progress);
  for (let cursor: string | null = null; chain.broken === undefined;) {
    const verdict = await verifyPage(client, cursor);
    chain.broken = verdict.broken ?? undefined;
    cursor = verdict.next_cursor;
    if (cursor === null) break;
  }
  return chain;
}

async function inDatabase(context: Context, url: string, noted: Head | undefined): Promise<Chain> {
  const { verifyAll } = await import("../../src/registry/audit/verify.ts");
  const { database, close } = await openRegistry(url, "verify");
  const chain: Chain = { changes: 0, head: undefined, broken: undefined };
  let mismatch: Broken | undefined;
  const note = (verdict: Verdict): void => {
    chain.changes += verdict.changes;
    chain.head = verdict.head ?? chain.head;
    chain.broken = verdict.broken ?? undefined;
    if (verdict.changes > 0) context.output.progress(`${chain.changes} changes`);
  };
  try {
    await verifyAll(database, PAGE, note);
    if (noted !== undefined) {
      const { sql } = await import("drizzle-orm");
      const [row] = await database.all<{ seq: number; hash: string | null }>(
        sql`SELECT seq, hash FROM changes WHERE seq = ${noted.seq}`,
      );
      mismatch = row === undefined ? tooShort(noted, chain.head?.seq ?? 0) : noteOf(row, noted);
    }
  } finally {
    close();
  }
  chain.broken ??= mismatch;
  return chain;
}

async function printHead(context: Context): Promise<void> {
  const [newest] = (await listChanges(context.client, new URLSearchParams(), 1)).items;
  if (newest !== undefined) {
    const head: Head = { seq: newest.seq, hash: newest.hash ?? "" };
    return context.globals.json ? context.output.value(head) : context.output.data(textOf(head));
  }
  throw new SwitchyardError("entity_not_found", "Cannot print the head: the log must hold a change; it is empty");
}

function parseHead(text: string): Head {
  const [, seq, hash] = /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new SwitchyardError(
    "usage",
    `Cannot read --head "${text}": it must be SEQ:HASH, as \`opctl audit head\` prints it`,
  );
}

function textOf({ seq, hash }: Head): string {
  return `${seq}:${hash}`;
}

/** `opctl token`: who may call. A token's secret is shown when it is made and cannot be read again. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { attributeOf } from "../attributes.ts";
import { collect, contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { KIND_WORDS } from "../kinds.ts";
import { createEntry, listEntries, patchEntry, readEntry, type Entry } from "../registry.ts";
import { renderTable } from "../render/table.ts";
import { sayNewToken } from "../token.ts";

type CreateOptions = { scope?: string[]; expires?: string; description?: string };

export const command: CommandModule = {
  define(token: Command) {
    const create = token
      .command("create")
      .description("make a token and print it, once")
      .argument("<name>", "what to call it")
      .option(
        "--scope <scope>",
        "ops:invoke, ops:invoke:GROUP, registry:read, registry:write, secrets:use, runner:ENVIRONMENT, admin; repeatable",
        collect,
      )
      .option("--expires <when>", "a duration from now (30d, 12h) or an RFC 3339 time; never if not given")
      .option("--description <text>", "what it is for")
      .action(async (name: string, options: CreateOptions) => {
        await createToken(contextOf(create), name, options);
      });
    examples(create, [
      ["opctl token create ci --scope ops:invoke --expires 30d", "may call operations, for 30 days"],
      ["opctl token create rack-1 --scope runner:rack-1", "for a runner of one environment"],
      ["opctl token create desk --scope ops:invoke:demo --scope registry:read", "one group, and reading"],
    ]);
    const list = token
      .command("list")
      .description("list the tokens; their secrets are not stored")
      .action(async () => {
        await listTokens(contextOf(list));
      });
    const show = token
      .command("show")
      .description("print the token that opctl itself uses here")
      .action(() => {
        const context = contextOf(show);
        const { credentials } = context.client;
        if (context.globals.json) context.output.value(credentials);
        else context.output.data(credentials.token);
      });
    const revoke = token
      .command("revoke")
      .description("switch a token off; the row stays for the record")
      .argument("<name>", "the token's name")
      .action(async (name: string) => {
        await revokeToken(contextOf(revoke), name);
      });
    examples(token, [
      ["opctl token create ci --scope ops:invoke", ""],
      ['curl -H "authorization: Bearer $(opctl token show)" …', ""],
      ["opctl token revoke ci", ""],
    ]);
  },
};

async function createToken(context: Context, name: string, options: CreateOptions): Promise<void> {
  if (options.scope === undefined) {
    throw new SwitchyardError("usage", `Cannot create the token "${name}": it must have at least one --scope`, {
      hint: `opctl token create ${name} --scope ops:invoke`,
    });
  }
  const { entry } = await createEntry(context.client, "token", {
    name,
    description: options.description ?? "",
    scopes: options.scope,
    expires_at: options.expires === undefined ? null : expiryOf(options.expires),
  });
  context.output.say(`token ${name}: created with ${options.scope.join(", ")}`);
  sayNewToken(context, entry);
}

function expiryOf(text: string): string {
  if (!/^\d{4}-/.test(text)) return new Date(Date.now() + parseDuration(text)).toISOString();
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new SwitchyardError(
    "usage",
    `Cannot read --expires "${text}": it must be a duration such as 30d or an RFC 3339 time`,
  );
}

async function listTokens(context: Context): Promise<void> {
  const entries: Entry[] = [];
  for await (const entry of listEntries(context.client, "token")) entries.push(entry);
  if (context.globals.json) return context.output.value(entries);
  const { columns } = KIND_WORDS.token;
  context.output.data(
    renderTable(
      columns,
      entries.map((entry) => columns.map((column) => attributeOf(entry, column))),
    ),
  );
}

async function revokeToken(context: Context, name: string): Promise<void> {
  const { etag } = await readEntry(context.client, "token", name);
  const { entry } = await patchEntry(context.client, "token", name, { active: false }, etag);
  context.output.say(`token ${name}: revoked; calls that carry it are refused`);
  if (context.globals.json) context.output.value(entry);
}

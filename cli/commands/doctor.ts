/** `opctl doctor`: looks at everything that a call from here needs, in order, and says what to do about what is wrong. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { parseAnswer, type Client } from "../client.ts";
import { contextOf, examples, type CommandModule, type Context } from "../command.ts";
import { findCredentialsFile } from "../credentials.ts";
import { packageVersion } from "../version.ts";

/** `warning` is worth knowing and stops nothing. */
type Check = { name: string; state: "ok" | "warning" | "failed"; detail: string; next?: string };

export const command: CommandModule = {
  define(command: Command) {
    command
      .addHelpText("after", "\nExit code 0: nothing is wrong. 1: something is. It writes nothing.")
      .action(async () => {
        const context = contextOf(command);
        const checks = [
          checkNode(),
          checkState(context.globals.state),
          checkCredentials(context),
          ...(await checkPlatform(context)),
        ];
        if (context.globals.json) context.output.value(checks);
        else context.output.data(checks.map(show).join("\n"));
        if (checks.some(({ state }) => state === "failed")) context.exitWith(1);
      });
    examples(command, [["opctl doctor", "Node.js, state folder, credentials, platform, registry"]]);
  },
};

function show({ name, state, detail, next }: Check): string {
  const line = `${state.padEnd(7)}  ${name.padEnd(12)}  ${detail}`;
  return next === undefined ? line : `${line}\n${" ".repeat(23)}next: ${next}`;
}

function checkNode(): Check {
  return { name: "node", state: "ok", detail: `${process.versions.node} at ${process.execPath}` }; // opctl.js refuses an old one
}

function checkState(state: string): Check {
  const folder = path.dirname(findFile(state) ?? path.resolve(state, "credentials.json"));
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) {
    return {
      name: "state",
      state: "warning",
      detail: `there is no ${folder}`,
      next: "`opctl dev` makes it; a remote platform needs none",
    };
  }
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const registry = path.join(folder, "registry.db");
    if (existsSync(registry)) accessSync(registry, constants.R_OK | constants.W_OK);
  } catch {
    return {
      name: "state",
      state: "failed",
      detail: `${folder} or the registry.db in it cannot be written by this user`,
      next: `mend its owner: chown -R "$USER" "${folder}"`,
    };
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    return {
      name: "state",
      state: "warning",
      detail: `${folder} is open to others (mode ${mode})`,
      next: `chmod 700 "${folder}"`,
    };
  }
  return { name: "state", state: "ok", detail: folder };
}

function findFile(state: string): string | undefined {
  try {
    return findCredentialsFile(state)?.file;
  } catch {
    return undefined; // The check of the credentials says it.
  }
}

function checkCredentials(context: Context): Check {
  try {
    const { globals, client } = context; // Looking for the client is what throws.
    const { url } = client.credentials;
    const fromEnvironment = globals.token !== undefined || Boolean(process.env["SWITCHYARD_TOKEN"]);
    const found = fromEnvironment ? undefined : findCredentialsFile(globals.state);
    if (found === undefined)
      return { name: "credentials", state: "ok", detail: `for ${url}, from the environment or options` };
    if ((found.mode & 0o077) !== 0) {
      return {
        name: "credentials",
        state: "failed",
        detail: `${found.file} is readable by others (mode ${found.mode.toString(8)})`,
        next: `chmod 600 "${found.file}"`,
      };
    }
    return { name: "credentials", state: "ok", detail: `for ${url}, from ${found.file}` };
  } catch (error) {
    return failed("credentials", error);
  }
}

async function checkPlatform(context: Context): Promise<Check[]> {
  let client: Client;
  try {
    client = context.client;
  } catch {
    return []; // No credentials: said already.
  }
  const health = await readHealth(client);
  if ("name" in health) return [health];
  const version = packageVersion();
  const platform: Check = {
    name: "platform",
    state: "ok",
    detail: `answers at ${client.credentials.url}, version ${health.version}`,
  };
  const versions: Check =
    health.version === version
      ? { name: "versions", state: "ok", detail: `opctl and platform are both ${version}` }
      : {
          name: "versions",
          state: "warning",
          detail: `opctl is ${version}, the platform ${health.version}`,
          next: "use the opctl of the platform's version",
        };
  if (health.registry !== "ok") {
    const registry: Check = {
      name: "registry",
      state: "failed",
      detail: `${health.registry}; operations that were called lately still run`,
      next: "look at the platform's log; `opctl explain registry_unavailable`",
    };
    return [platform, versions, registry];
  }
  return [platform, versions, await checkRegistry(client)];
}

type Health = { version: string; registry: string };

/** /health answers 503 with the same body when the registry is away: that is an answer, not a failure to get one. */
async function readHealth(client: Client): Promise<Health | Check> {
  try {
    return parseAnswer(await client.request("GET", "/health", { timeoutMs: 5000, acceptStatus: [503] })) as Health;
  } catch (error) {
    return failed("platform", error);
  }
}

/** Reading one entry proves the token and the registry at once. */
async function checkRegistry(client: Client): Promise<Check> {
  try {
    const answer = await client.request("GET", "/registry/operations?limit=1", { timeoutMs: 5000 });
    const revision = answer.headers.get("registry-revision");
    return {
      name: "registry",
      state: "ok",
      detail: `answers, the token may read it${revision === null ? "" : `, revision ${revision}`}`,
    };
  } catch (error) {
    if (error instanceof SwitchyardError && error.code === "forbidden") {
      return { name: "registry", state: "ok", detail: "answers; the token may not read it (no registry:read)" };
    }
    return failed("registry", error);
  }
}

function failed(name: string, error: unknown): Check {
  if (!(error instanceof SwitchyardError)) throw error;
  return {
    name,
    state: "failed",
    detail: `${error.message} (${error.code})`,
    ...(error.hint === undefined ? {} : { next: error.hint }),
  };
}

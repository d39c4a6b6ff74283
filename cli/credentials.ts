/**
 * Where the platform is and what opens it: options, then SWITCHYARD_URL and SWITCHYARD_TOKEN, then
 * `<state>/credentials.json` in the current folder or the nearest parent that has one. A token found in a file is only
 * ever sent to the address written beside it.
 */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { SwitchyardError } from "../src/core/errors.ts";

export type Credentials = { url: string; token: string };
export type CredentialsFile = Credentials & { file: string; mode: number };
type Wanted = { url?: string | undefined; token?: string | undefined; state: string };

/** The nearest credentials file, or undefined. A file that is there but cannot be used is an error, not a miss. */
export function findCredentialsFile(state: string, from: string = process.cwd()): CredentialsFile | undefined {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const file = path.resolve(folder, state, "credentials.json");
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isFile() === true) return { ...readCredentials(file), file, mode: stats.mode & 0o777 };
    if (path.isAbsolute(state) || folder === path.dirname(folder)) return undefined;
  }
}

function readCredentials(file: string): Credentials {
  const refuse = (rule: string, cause?: unknown): never => {
    throw new SwitchyardError("credentials_missing", `Cannot read the credentials "${file}": ${rule}`, {
      hint: "`opctl dev` writes the file anew when it starts; SWITCHYARD_URL and SWITCHYARD_TOKEN override it.",
      cause,
    });
  };
  try {
    const read: unknown = JSON.parse(readFileSync(file, "utf8"));
    const { url, token } = (read ?? {}) as Record<string, unknown>;
    if (typeof url === "string" && typeof token === "string") return { url, token };
  } catch (error) {
    return refuse(`it must be readable JSON; ${error instanceof Error ? error.message : String(error)}`, error);
  }
  return refuse('it must be {"url": …, "token": …}');
}

export function findCredentials(
  wanted: Wanted,
  options: { env?: NodeJS.ProcessEnv; from?: string; warn: (text: string) => void },
): Credentials {
  const env = options.env ?? process.env;
  // An empty variable is an unset one: that is what `SWITCHYARD_URL= opctl …` means.
  const url = wanted.url ?? (env["SWITCHYARD_URL"] || undefined);
  const token = checkToken(wanted.token ?? (env["SWITCHYARD_TOKEN"] || undefined));
  if (url !== undefined && token !== undefined) return { url: checkUrl(url), token };
  const found = findCredentialsFile(wanted.state, options.from);
  if (found === undefined) {
    const missing = url === undefined ? "SWITCHYARD_URL" : "SWITCHYARD_TOKEN";
    throw new SwitchyardError(
      "credentials_missing",
      `Cannot find the platform: ${missing} is not set, and there is no ${path.join(wanted.state, "credentials.json")} here or in a parent folder`,
      { hint: "Start a platform here with `npm start` or `opctl dev`, or set SWITCHYARD_URL and SWITCHYARD_TOKEN." },
    );
  }
  if (url !== undefined && token === undefined && new URL(checkUrl(url)).origin !== new URL(found.url).origin) {
    throw new SwitchyardError(
      "credentials_missing",
      `Cannot use the token of "${found.file}" for ${url}: a token is only sent to the address beside it; it is for ${found.url}`,
      { hint: "Set SWITCHYARD_TOKEN (or --token) together with the address." },
    );
  }
  if (token === undefined && (found.mode & 0o077) !== 0) {
    options.warn(
      `"${found.file}" is readable by others (mode ${found.mode.toString(8)}). Close it: chmod 600 "${found.file}"`,
    );
  }
  return { url: checkUrl(url ?? found.url), token: token ?? found.token };
}

/** What cannot stand in a header is refused here, where the message does not repeat it. */
function checkToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\u0021-\u007E]+$/.test(token)) return token;
  throw new SwitchyardError(
    "usage",
    "Cannot use the token: it must be one word of ASCII, sy_<id>_<secret>; it has other characters",
    { hint: "Look at how SWITCHYARD_TOKEN (or --token) is set: a line end or a quote may have come along." },
  );
}

function checkUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed !== null && (parsed.username !== "" || parsed.password !== "")) {
    throw new SwitchyardError(
      "usage",
      `Cannot use the address of ${parsed.host}: it must not hold a name or a password`,
      {
        hint: "The token is given apart from it, in SWITCHYARD_TOKEN or with --token.",
      },
    );
  }
  if (parsed !== null && /^https?:$/.test(parsed.protocol)) return url.replace(/\/+$/, "");
  throw new SwitchyardError(
    "usage",
    `Cannot use the address "${url}": it must be an http or https URL, such as http://127.0.0.1:8787`,
  );
}
